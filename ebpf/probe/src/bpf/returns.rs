//! The ends of a function: each instruction that returns, or that jumps to another function, which
//! returns in its place.
//!
//! A trap on anything but the first byte of an instruction would break the program. So a function
//! has no known ends if part of it cannot be read as code, or if it jumps into the middle of what
//! was read as an instruction.

use std::collections::BTreeSet;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use super::program::Program;

/// The most functions to follow through tail jumps, including the first; jumps to further ones are
/// kept as jumps.
const MOST_BODIES: usize = 8;

/// The most ends of a function, each of which needs a trap.
const MOST_ENDS: usize = 256;

/// The ends of a function, as addresses or file offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Its returns, and those of the functions that it tail-jumps to.
    pub(crate) returns: Vec<u64>,
    /// Tail jumps to functions whose returns are not known.
    pub(crate) jumps: Vec<u64>,
}

impl Ends {
    /// Adds the ends of `more`.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.returns.extend(more.returns);
        self.jumps.extend(more.jumps);
        for ends in [&mut self.returns, &mut self.jumps] {
            ends.sort_unstable();
            ends.dedup();
        }
        self
    }

    /// Maps each end, as from address to file offset; drops those without a result.
    pub(super) fn map(&mut self, place: impl Fn(u64) -> Option<u64>) {
        for ends in [&mut self.returns, &mut self.jumps] {
            *ends = ends.iter().filter_map(|&address| place(address)).collect();
        }
    }
}

/// The ends of the function at `entry`.
///
/// # Errors
/// The reason why they are not known.
pub(super) fn ends(program: &Program<'_>, entry: u64, size: u64) -> Result<Ends, String> {
    if size == 0 {
        return Err("its symbol does not say how long it is".to_owned());
    }
    let mut bodies = vec![(entry, size)];
    let mut ends = Ends::default();
    let mut at = 0;
    while let Some(&(start, size)) = bodies.get(at) {
        at += 1;
        for instruction in instructions(program, start, size)? {
            let address = instruction.ip();
            match instruction.flow_control() {
                FlowControl::Return if instruction.mnemonic() == Mnemonic::Ret => {
                    ends.returns.push(address);
                }
                FlowControl::Return => return Err("it returns by no plain return".to_owned()),
                FlowControl::ConditionalBranch if instruction.near_branch_target() == entry => {
                    return Err(
                        "it begins with a loop, so that its beginning is no call".to_owned()
                    );
                }
                FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                    let target = instruction.near_branch_target();
                    let plain = instruction.flow_control() == FlowControl::UnconditionalBranch;
                    if target == entry && plain {
                        ends.jumps.push(address);
                    } else if !is_in(&bodies, target) {
                        match program.function_at(target) {
                            Some(other) if bodies.len() < MOST_BODIES => bodies.push(other),
                            _ if plain => ends.jumps.push(address),
                            _ => return Err("it jumps to where no function is".to_owned()),
                        }
                    }
                }
                _ => {}
            }
        }
    }
    if ends.returns.len() + ends.jumps.len() > MOST_ENDS {
        return Err(format!("it has more than {MOST_ENDS} ends"));
    }
    Ok(ends.and(Ends::default()))
}

fn is_in(bodies: &[(u64, u64)], address: u64) -> bool {
    bodies.iter().any(|&(start, size)| address.wrapping_sub(start) < size)
}

/// All instructions of the function, which must fill it completely.
fn instructions(program: &Program<'_>, start: u64, size: u64) -> Result<Vec<Instruction>, String> {
    let code = program.code(start, size).filter(|code| code.len() as u64 == size);
    let code = code.ok_or("its code is not in the file")?;
    let all: Vec<Instruction> =
        Decoder::with_ip(64, code, start, DecoderOptions::NONE).into_iter().collect();
    let begins: BTreeSet<u64> = all.iter().map(Instruction::ip).collect();
    let is_whole = |it: &Instruction| {
        let target = match it.flow_control() {
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                it.near_branch_target()
            }
            _ => start,
        };
        !it.is_invalid() && (target.wrapping_sub(start) >= size || begins.contains(&target))
    };
    if all.iter().all(is_whole) {
        Ok(all)
    } else {
        Err("not all of it can be read as code".to_owned())
    }
}
