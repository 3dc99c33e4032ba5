//! What eBPF probes saw of the lab's threads, compared with the threads' own diaries.

use lab_kit::{Evidence, Figure, Gap, Judged};

/// How far a sum may be from the wall clock.
pub(crate) const SUM: f64 = 0.02;

/// A line of folded stacks: its frames, outermost first, and its microseconds.
struct Line<'a> {
    frames: Vec<&'a str>,
    us: f64,
}

impl Line<'_> {
    fn thread(&self) -> &str {
        self.frames.first().copied().unwrap_or_default()
    }

    /// The thread that ended the wait: the outermost frame of the waker's stack, which is upside
    /// down at the end.
    fn waker(&self) -> &str {
        self.frames.last().copied().unwrap_or_default()
    }

    fn has(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(function))
    }
}

/// OFF-4: the kernel's sums of a thread that migrates, over the replay of its own switches.
pub(crate) fn migration_is_whole(e: &Evidence) -> Judged {
    let seen = e.observation("migrating", "offcputime")?;
    let folded = seen.folded("off-cpu")?;
    let us: f64 = lines(&folded).filter(|l| l.thread() == "migrates").map(|l| l.us).sum();
    let sum = Figure::exact(us * 1e3 / seen.metric("replayed")?, "ratio").near(1.0, SUM)?;
    seen.unless_lost(sum.because("the probe's sum over the replayed one"))
}

/// OFF-14: the share of its life for which a sleeper is in one blocked stack.
pub(crate) fn sleeps_in_one_stack(e: &Evidence) -> Judged {
    let seen = e.observation("sleeper", "offcputime")?;
    let folded = seen.folded("off-cpu")?;
    let asleep = lines(&folded).filter(|l| l.thread() == "sleeper" && l.has("fall_asleep"));
    let largest = asleep.map(|l| l.us).fold(0.0, f64::max);
    let share = Figure::exact(largest * 1e3 / seen.metric("wall")?, "ratio").at_least(0.98)?;
    seen.unless_lost(share.because("blocked in one stack, over the wall clock"))
}

/// OFF-11: of the time that each of the three waits for another, the share that the expected one
/// ended.
pub(crate) fn wakers_are_named(e: &Evidence) -> Judged {
    let seen = e.observation("handoff", "offwaketime")?;
    let folded = seen.folded("offwake")?;
    let share = |thread: &str, waits_in: &str, right: &dyn Fn(&Line) -> bool| -> Result<f64, Gap> {
        let waits = || lines(&folded).filter(|l| l.thread() == thread && l.has(waits_in));
        let all: f64 = waits().map(|l| l.us).sum();
        if all == 0.0 {
            return Err(Gap::Unavailable(format!("{thread} was never seen to wait in {waits_in}")));
        }
        Ok(waits().filter(right).map(|l| l.us).sum::<f64>() / all)
    };
    let links = [
        share("client", "ask_the_server", &|l| l.waker() == "server")?,
        share("server", "ask_the_disk", &|l| l.waker() == "disk")?,
        // The thread that runs at that moment is interrupted: its name means nothing.
        share("disk", "nanosleep", &|l| l.has("hrtimer"))?,
    ];
    let least = Figure::exact(links.into_iter().fold(1.0, f64::min), "ratio").near(1.0, SUM)?;
    let words = "client < server, server < disk, disk < timer: the least certain link";
    seen.unless_lost(least.because(words))
}

fn lines(folded: &str) -> impl Iterator<Item = Line<'_>> {
    folded.lines().filter_map(|line| {
        let (stack, us) = line.rsplit_once(' ')?;
        Some(Line { frames: stack.split(';').collect(), us: us.parse().ok()? })
    })
}
