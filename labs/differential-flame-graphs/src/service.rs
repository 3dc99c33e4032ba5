//! A service of twenty functions that cost the same, one of which may cost more: code complex
//! enough that an eye does not find what changed.

use std::hint::black_box;

use lab_kit::seed;

/// What a function does for a request of middling size: two or three microseconds.
const STEPS: f64 = 1_500.0;
/// How many share the work.
pub(crate) const FUNCTIONS: f64 = 20.0;
/// The one that gets slower.
pub(crate) const SLOWER: &str = "score";

/// Serves requests of random size: with equal ones the service would fall in step with a sampler.
pub(crate) struct Service {
    /// Work that [`SLOWER`] does on top of its own, as a share of all work.
    pub injection: f64,
    /// Where sizes come from.
    pub seed: u64,
    /// Requests served.
    pub served: u64,
}

impl Service {
    /// Serves one request.
    #[inline(never)]
    pub(crate) fn serve(&mut self) {
        let size = STEPS * (0.5 + seed::uniform(self.seed, &[self.served]));
        let extra = size * FUNCTIONS * self.injection;
        self.served += 1;
        let (steps, extra) = (size as u64, extra as u64);
        black_box(read::request(steps, 0) ^ look_up::row(steps, 0));
        black_box(compute::result(steps, extra) ^ reply::send(steps, 0));
    }
}

/// A caller and its functions of equal cost, but for the last, which does `extra` on top. Each has
/// a seed of its own, else the compiler may make them one.
macro_rules! calls {
    ($module:ident :: $caller:ident: $($stage:ident $seed:literal),*) => {
        mod $module {
            $(#[inline(never)]
            fn $stage(steps: u64) -> u64 {
                lab_kit::spin::steps(steps, $seed)
            })*

            #[inline(never)]
            pub(super) fn $caller(steps: u64, extra: u64) -> u64 {
                let stages = [$($stage as fn(u64) -> u64),*];
                let steps_of = |at: usize| if at + 1 == stages.len() { steps + extra } else { steps };
                (0..).zip(stages).fold(0, |sum, (at, stage)| sum ^ stage(steps_of(at)))
            }
        }
    };
}

calls!(read::request: decode 1, split_headers 2, parse_uri 3, check_limits 4, authorise 5);
calls!(look_up::row: hash_key 6, probe_cache 7, read_index 8, fetch_row 9, decode_row 10);
calls!(compute::result: filter 11, join 12, sort 13, aggregate 14, score 15);
calls!(reply::send: format 16, escape 17, encode 18, checksum 19, write 20);
