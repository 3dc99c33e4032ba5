//! Workers that wait for work: most of all off-CPU time, and uninteresting.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::thread::{self, named};
use lab_kit::{Ctx, Serving};

use crate::diary::{self, Diary, State, ThreadTotals};

/// How long a request is at the disk.
const DISK: Duration = Duration::from_millis(5);
/// Between two requests.
const GAP: Duration = Duration::from_millis(50);

/// Requests in a queue; none, once it is closed.
#[derive(Default)]
struct Queue {
    waiting: Mutex<(VecDeque<()>, bool)>,
    changed: Condvar,
}

/// Runs the pool on few requests, and adds up the waits by cause.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let (queue, until) = (Queue::default(), Instant::now() + ctx.timeline().measure);
    let workers = 1..=ctx.int("workers");
    let threads = workers.map(|worker| named(format!("worker-{worker}"), || serve(&queue)));
    let accounts = thread::run(threads.collect(), || {
        while Instant::now() < until {
            queue.put();
            sleep(GAP);
        }
        queue.close();
    })?;
    let wall = accounts.iter().map(|account| account.total.wall).max().unwrap_or_default();
    let off: Duration = accounts.iter().map(|account| account.total.wall - account.total.ran).sum();
    let in_requests = within_requests(&accounts);
    let entries = in_requests.iter().flat_map(|account| &account.entries);
    let left: Duration = entries.map(|entry| entry.blocked).sum();
    ctx.metric("off_cpu_over_wall", off.as_secs_f64() / wall.as_secs_f64(), "times");
    ctx.metric("left_within_requests", left.as_secs_f64() / off.as_secs_f64(), "ratio");
    ctx.keep("within-requests.folded", &diary::off_cpu(&in_requests))?;
    diary::file(ctx, &accounts)
}

/// The threads' time between a request's start and its end.
fn within_requests(accounts: &[ThreadTotals]) -> Vec<ThreadTotals> {
    let mut accounts = accounts.to_vec();
    for account in &mut accounts {
        account.entries.retain(|entry| entry.state != State::Idle);
        account.total = Default::default();
    }
    accounts
}

fn serve(queue: &Queue) -> anyhow::Result<ThreadTotals> {
    let mut diary = Diary::begin()?;
    while wait_for_work(&mut diary, queue) {
        read_disk(&mut diary);
    }
    diary.end()
}

#[inline(never)]
fn wait_for_work(diary: &mut Diary, queue: &Queue) -> bool {
    // What follows a call keeps it from becoming a jump, which would leave no frame.
    std::hint::black_box(diary.block(State::Idle, || queue.take()))
}

#[inline(never)]
fn read_disk(diary: &mut Diary) {
    let _serving = Serving::begin();
    diary.block(State::Sleeping, || sleep(DISK));
    std::hint::black_box(());
}

impl Queue {
    fn put(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(());
        self.changed.notify_one();
    }

    fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }

    /// Waits for a request; false when there will be none.
    fn take(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing =
            |(requests, closed): &mut (VecDeque<()>, bool)| requests.is_empty() && !*closed;
        let waiting = self.changed.wait_while(waiting, nothing);
        waiting.unwrap_or_else(PoisonError::into_inner).0.pop_front().is_some()
    }
}
