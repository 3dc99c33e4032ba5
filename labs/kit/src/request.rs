//! Where this thread serves a request: told to tracers in the kernel (`cargo xtask probe
//! requests`), so that the request's time splits into running, waiting for a CPU and blocked.
//!
//! Each end is a USDT point, `perf_lab:request_begin` and `perf_lab:request_end`: an instruction
//! that does nothing, and a note in the program's file that says where it stands. An observer puts
//! a trap there; without one it costs what an instruction costs (`cargo bench -p lab-kit --bench
//! hot_paths`).

use std::marker::PhantomData;

use probe::probe;

/// This thread serves a request for as long as this lives.
///
/// It stays on its thread: what it is about is the thread's time. So it is not for a request that
/// awaits, whose thread serves others meanwhile. One within another is part of it.
///
/// ```
/// fn serve(request: u64) -> u64 {
///     // With a name: `let _ = …` would end it at once.
///     let _serving = lab_kit::Serving::begin();
///     request + 1
/// }
/// assert_eq!(serve(1), 2);
/// ```
#[derive(Debug)]
#[must_use = "the request ends when this is dropped"]
pub struct Serving {
    of_this_thread: PhantomData<*const ()>,
}

impl Serving {
    /// A request begins.
    #[inline]
    pub fn begin() -> Self {
        probe!(perf_lab, request_begin);
        Self { of_this_thread: PhantomData }
    }
}

impl Drop for Serving {
    #[inline]
    fn drop(&mut self) {
        probe!(perf_lab, request_end);
    }
}
