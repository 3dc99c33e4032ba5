//! What BPF programs share. A program is a file in `src/bin`: its maps, and a function for each
//! tracepoint, named as the tracepoint is; the loader attaches them all.
//!
//! A file with maps or globals that only some programs need is not a module of this crate: else
//! every object would have them. A program includes it by its path (`#[path = "../stack.rs"] mod
//! stack;`).
//!
//! aya has no CO-RE: the loader finds the offsets of fields in this machine's BTF, and writes them
//! to globals.
#![no_std]
#![feature(asm_experimental_arch)]

/// What every program file needs once: a licence, since the kernel offers its helpers to GPL
/// programs only, and a handler for panics, which cannot happen.
#[macro_export]
macro_rules! program {
    () => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            loop {}
        }

        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}

/// Values that the loader writes before the program is loaded; zero in an object file.
#[macro_export]
macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $zero:expr;)*) => { $(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub static $name: $type = $zero;
    )* };
}

/// The value of a global. The read is volatile: else the compiler would use the zero.
#[macro_export]
macro_rules! global {
    ($name:path) => {
        // SAFETY: a static of plain data is always valid to read.
        unsafe { core::ptr::read_volatile(&raw const $name) }
    };
}

pub mod add;
pub mod call;
pub mod clock;
pub mod entry;
pub mod histogram;
pub mod switch;
pub mod tally;
pub mod target;
pub mod task;
pub mod verifier;
