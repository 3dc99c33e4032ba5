//! A simulated machine: threads compute and block on a few CPUs, and take turns in slices.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A scheduler with one queue: first come, first served, a slice at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    pub(crate) slice_ns: u64,
}

/// What a thread does next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    /// More than 0.
    pub(crate) run_ns: u64,
    /// 0 for a thread that goes on to compute.
    pub(crate) block_ns: u64,
}

/// One thread leaves a CPU, another comes; none for an idle CPU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switch {
    pub(crate) at_ns: u64,
    pub(crate) cpu: usize,
    pub(crate) prev: Option<usize>,
    /// Whether the one that leaves blocks, or is preempted.
    pub(crate) blocks: bool,
    pub(crate) next: Option<usize>,
}

/// A stay in the run queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) thread: usize,
    /// After it was blocked, not after it was preempted.
    pub(crate) woken: bool,
    pub(crate) waited_ns: u64,
}

/// What happened, up to the end: the switches, and what is true of each thread.
#[derive(Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) switches: Vec<Switch>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) blocked_ns: Vec<u64>,
    pub(crate) waited_ns: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wakes(usize),
    /// The thread on this CPU has computed what it had to, or for a slice.
    Stops(usize),
}

/// In the run queue.
#[derive(Debug, Clone, Copy)]
struct Ready {
    thread: usize,
    woken: bool,
    since_ns: u64,
}

/// On a CPU.
#[derive(Debug, Clone, Copy)]
struct Running {
    thread: usize,
    since_ns: u64,
}

impl Machine {
    /// Runs threads that are all ready at the beginning, until `until_ns`.
    pub(crate) fn run(
        self,
        threads: usize,
        until_ns: u64,
        mut burst: impl FnMut(usize) -> Burst,
    ) -> Scheduled {
        let mut happened = Scheduled {
            blocked_ns: vec![0; threads],
            waited_ns: vec![0; threads],
            ..Scheduled::default()
        };
        let mut todo: Vec<Burst> = (0..threads).map(&mut burst).collect();
        let at_first = |thread| Ready { thread, woken: false, since_ns: 0 };
        let mut queue: VecDeque<Ready> = (0..threads).map(at_first).collect();
        let mut running: Vec<Option<Running>> = vec![None; self.cpus];
        let mut events = BinaryHeap::new();
        let mut now_ns = 0;
        while now_ns < until_ns {
            for (cpu, running) in running.iter_mut().enumerate() {
                let Some(next) = running.is_none().then(|| queue.pop_front()).flatten() else {
                    continue;
                };
                happened.waited(next, now_ns);
                *running = Some(Running { thread: next.thread, since_ns: now_ns });
                let stops_ns = now_ns + todo[next.thread].run_ns.min(self.slice_ns);
                events.push(Reverse((stops_ns, Event::Stops(cpu))));
                let next = Some(next.thread);
                happened.switches.push(Switch {
                    at_ns: now_ns,
                    cpu,
                    prev: None,
                    blocks: false,
                    next,
                });
            }
            let Some(Reverse((at_ns, event))) = events.pop() else { break };
            if at_ns >= until_ns {
                break;
            }
            now_ns = at_ns;
            match event {
                Event::Wakes(thread) => {
                    queue.push_back(Ready { thread, woken: true, since_ns: now_ns });
                }
                Event::Stops(cpu) => {
                    let Running { thread, since_ns } = running[cpu].take().expect("it ran here");
                    todo[thread].run_ns -= now_ns - since_ns;
                    let done = todo[thread].run_ns == 0;
                    let block_ns = if done { todo[thread].block_ns } else { 0 };
                    if done {
                        todo[thread] = burst(thread);
                    }
                    let blocks = block_ns > 0;
                    if blocks {
                        let wakes_ns = now_ns + block_ns;
                        happened.blocked_ns[thread] += wakes_ns.min(until_ns) - now_ns;
                        events.push(Reverse((wakes_ns, Event::Wakes(thread))));
                    } else {
                        queue.push_back(Ready { thread, woken: false, since_ns: now_ns });
                    }
                    let prev = Some(thread);
                    happened.switches.push(Switch { at_ns: now_ns, cpu, prev, blocks, next: None });
                }
            }
        }
        for ready in queue {
            happened.waited(ready, until_ns);
        }
        happened
    }
}

impl Scheduled {
    fn waited(&mut self, Ready { thread, woken, since_ns }: Ready, now_ns: u64) {
        let waited_ns = now_ns - since_ns;
        self.waited_ns[thread] += waited_ns;
        self.waits.push(Wait { thread, woken, waited_ns });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_share_one_cpu() {
        let machine = Machine { cpus: 1, slice_ns: 4 };
        // One computes for ever; one computes for 2 and blocks for 10.
        let burst = |thread| Burst { run_ns: [1_000, 2][thread], block_ns: [0, 10][thread] };
        let happened = machine.run(2, 18, burst);
        // 0 runs from 0 to 4 and from 6 on, alone until 1 is back at 16; it stops at 18.
        assert_eq!(happened.waited_ns, [2, 4 + 2]);
        assert_eq!(happened.blocked_ns, [0, 10]);
        assert!(happened.waits.iter().any(|wait| wait.thread == 1 && wait.woken));
    }
}
