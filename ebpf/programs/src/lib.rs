//! What BPF programs share. A program is a file in `src/bin`: its maps, and a function for each tracepoint, called as
//! the tracepoint is; the loader attaches them all.
//!
//! What has maps or globals of its own that few programs need is no module here, or each object would have them: a
//! program takes it in by its path (`#[path = "../stack.rs"] mod stack;`).
//!
//! aya has no CO-RE: where a field lies is asked by the loader of this machine's BTF and written to a global.
#![no_std]
#![feature(asm_experimental_arch)]

/// What every program file needs once: a licence, since the kernel lends its helpers to GPL programs alone, and
/// something to call in a panic that cannot happen.
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

/// Values that the loader writes before the program is loaded; zero in an object.
#[macro_export]
macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $zero:expr;)*) => { $(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub static $name: $type = $zero;
    )* };
}

/// The value of a global. Read as volatile: the compiler would take the zero for granted.
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
