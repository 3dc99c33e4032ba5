//! Marks where a thread serves a request, for tracers in the kernel: `cargo xtask probe requests`
//! splits the request's time into running, waiting for a CPU and blocked.
//!
//! Begin and end are USDT points, `perf_lab:request_begin` and `perf_lab:request_end`: an
//! instruction that does nothing, and a note in the program's file that says where it is. An
//! observer puts a trap there; otherwise the point costs one instruction (`cargo bench -p lab-kit
//! --bench hot_paths`).

use std::marker::PhantomData;

use probe::probe;

/// This thread serves a request for as long as this lives.
///
/// It cannot leave its thread, since it splits the thread's time. It is not for a request that
/// awaits, whose thread serves others meanwhile. A request within another is part of it.
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
