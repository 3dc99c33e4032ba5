//! An empty function with the same kind of first instruction as another, to measure the cost of
//! watching the other.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::ptr;

use anyhow::{Context as _, Result, bail};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

const PAGE: usize = 4096;
const RETURN: u8 = 0xc3;

/// A function in memory that is also a file, since the kernel sets traps in files.
pub(super) struct EmptyFunction {
    file: File,
    memory: *mut libc::c_void,
    /// The offset of its return in the file.
    pub(super) returns_at: u64,
}

impl EmptyFunction {
    /// Makes an empty function for one with this code.
    pub(super) fn like(code: &[u8]) -> Result<Self> {
        let mut code = beginning(code);
        let returns_at = code.len() as u64;
        code.push(RETURN);
        code.resize(PAGE, 0);
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::memfd_create("empty", flags)?);
        file.write_all(&code).context("write a function")?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE);
        // SAFETY: asks for fresh memory.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, file.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            bail!("map a function: {}", std::io::Error::last_os_error());
        }
        Ok(Self { file, memory, returns_at })
    }

    /// Its file.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    /// Calls it.
    pub(super) fn call(&self) {
        // SAFETY: the memory holds a whole function that follows the C calling convention, as long
        // as this lives.
        let function: extern "C" fn() = unsafe { std::mem::transmute(self.memory) };
        function();
    }
}

impl Drop for EmptyFunction {
    fn drop(&mut self) {
        // SAFETY: the memory is ours, and no call is running.
        unsafe { libc::munmap(self.memory, PAGE) };
    }
}

/// The first instruction itself if it does nothing, else one of its kind: the kernel emulates
/// pushes and jumps, and single-steps all others.
fn beginning(code: &[u8]) -> Vec<u8> {
    let first: Instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
    match (first.mnemonic(), first.flow_control()) {
        // push rbp; pop rbp
        (Mnemonic::Push, _) if code.first() == Some(&0x41) || first.len() == 1 => vec![0x55, 0x5d],
        (Mnemonic::Nop | Mnemonic::Endbr64, _) => code[..first.len()].to_vec(),
        // jmp to what follows
        (
            _,
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch | FlowControl::Call,
        ) => vec![0xeb, 0],
        // lea eax, [rdi + 1]
        _ => vec![0x8d, 0x47, 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_function_begins_with_the_same_kind_of_instruction() {
        // push r15; endbr64; jne; lea; sub rsp, 8
        for (code, same) in [
            (&[0x41, 0x57][..], &[0x55, 0x5d][..]),
            (&[0xf3, 0x0f, 0x1e, 0xfa], &[0xf3, 0x0f, 0x1e, 0xfa]),
            (&[0x75, 0x10], &[0xeb, 0]),
            (&[0x8d, 0x47, 1], &[0x8d, 0x47, 1]),
            (&[0x48, 0x83, 0xec, 8], &[0x8d, 0x47, 1]),
        ] {
            assert_eq!(beginning(code), same, "{code:x?}");
            EmptyFunction::like(code).unwrap().call();
        }
    }
}
