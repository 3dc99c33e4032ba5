//! A request on the thread that serves it, and how it spends its time.

/// State: running.
pub const ON_CPU: u64 = 0;
/// State: ready, waiting for a CPU.
pub const QUEUED: u64 = 1;
/// State: waiting for anything else.
pub const BLOCKED: u64 = 2;

/// A thread that serves requests.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Nested requests in progress; 0 while it serves none.
    pub depth: u64,
    /// The outermost request, which is the one timed.
    pub request: Request,
    /// Counts its changes of state: a program that was interrupted sees that it was.
    pub changes: u64,
}

/// A request in progress. Times are nanoseconds on CLOCK_MONOTONIC.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// When it began.
    pub began_ns: u64,
    /// [`ON_CPU`], [`QUEUED`] or [`BLOCKED`].
    pub state: u64,
    /// When it entered that state.
    pub since_ns: u64,
    /// Time in each state before that.
    pub spent: Spent,
}

/// Time in each state, in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Running.
    pub on_cpu_ns: u64,
    /// Waiting for a CPU.
    pub queued_ns: u64,
    /// Waiting for something else.
    pub blocked_ns: u64,
}

/// Requests whose durations lie between one power of two and the next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// How many.
    pub count: u64,
    /// The sum of their times.
    pub spent: Spent,
}

/// Number of classes: 0 and 1 ns, 2 and 3 ns, 4 to 7 ns, and so on.
pub const CLASSES: u32 = 64;

/// The class of a duration: below [`CLASSES`].
#[inline(always)]
pub fn class(took_ns: u64) -> u32 {
    63 - (took_ns | 1).leading_zeros()
}

impl Request {
    /// A request that begins now, on a running thread.
    #[inline(always)]
    pub fn begin(now_ns: u64) -> Self {
        let spent = Spent { on_cpu_ns: 0, queued_ns: 0, blocked_ns: 0 };
        Self { began_ns: now_ns, state: ON_CPU, since_ns: now_ns, spent }
    }

    /// Its times in each state up to now.
    #[inline(always)]
    pub fn spent_at(&self, now_ns: u64) -> Spent {
        let more = now_ns.saturating_sub(self.since_ns);
        let mut spent = self.spent;
        match self.state {
            ON_CPU => spent.on_cpu_ns += more,
            QUEUED => spent.queued_ns += more,
            _ => spent.blocked_ns += more,
        }
        spent
    }

    /// Enters `state` now.
    #[inline(always)]
    pub fn turn(&mut self, state: u64, now_ns: u64) {
        self.spent = self.spent_at(now_ns);
        self.state = state;
        self.since_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_goes_to_the_state_that_it_was_spent_in() {
        let mut request = Request::begin(100);
        for (state, now_ns) in [(BLOCKED, 110), (QUEUED, 130), (ON_CPU, 170), (QUEUED, 171)] {
            request.turn(state, now_ns);
        }
        let spent = request.spent_at(200);
        assert_eq!(spent, Spent { on_cpu_ns: 11, queued_ns: 69, blocked_ns: 20 });
        assert_eq!(request.began_ns, 100);
    }

    #[test]
    fn a_class_reaches_from_a_power_of_two_to_the_next() {
        assert_eq!([0, 1, 2, 3, 4, 1023, 1024].map(class), [0, 0, 1, 1, 2, 9, 10]);
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }
}
