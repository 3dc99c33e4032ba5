//! A simulated machine: threads compute and block on a few CPUs, and take turns in slices.

use lab_kit::sim::{Agenda, Discipline, Station};

/// A scheduler with one queue: first come, first served, a slice at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) cpus: u32,
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

/// The trace up to the end: the switches, and the true times of each thread.
#[derive(Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) switches: Vec<Switch>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) blocked_ns: Vec<u64>,
    pub(crate) waited_ns: Vec<u64>,
}

enum Event {
    Wakes(usize),
    /// The thread has computed what it had to, or for a slice.
    Stops {
        cpu: u32,
        thread: usize,
        ran_ns: u64,
    },
}

/// In the run queue.
#[derive(Debug, Clone, Copy)]
struct Ready {
    thread: usize,
    woken: bool,
    since_ns: u64,
}

impl Machine {
    /// Runs threads that are all ready at the beginning, until `until_ns`.
    ///
    /// # Errors
    /// The machine has no CPU, or nothing that happens takes any time.
    pub(crate) fn run(
        self,
        threads: usize,
        until_ns: u64,
        mut burst: impl FnMut(usize) -> Burst,
    ) -> anyhow::Result<Scheduled> {
        let mut happened = Scheduled {
            blocked_ns: vec![0; threads],
            waited_ns: vec![0; threads],
            ..Scheduled::default()
        };
        let mut todo: Vec<Burst> = (0..threads).map(&mut burst).collect();
        let mut cpus = Station::new(self.cpus, Discipline::Fifo)?;
        for thread in 0..threads {
            cpus.again(0, Ready { thread, woken: false, since_ns: 0 });
        }
        // Events at the very end do not happen.
        let mut agenda = Agenda::until(until_ns.saturating_sub(1));
        loop {
            let at_ns = agenda.now();
            while let Some((cpu, ready)) = cpus.start(at_ns) {
                happened.waited(ready, at_ns);
                let thread = ready.thread;
                let ran_ns = todo[thread].run_ns.min(self.slice_ns);
                agenda.after(ran_ns, Event::Stops { cpu, thread, ran_ns });
                let (cpu, next) = (cpu as usize, Some(thread));
                happened.switches.push(Switch { at_ns, cpu, prev: None, blocks: false, next });
            }
            let Some(event) = agenda.step()? else { break };
            let at_ns = agenda.now();
            match event {
                Event::Wakes(thread) => {
                    cpus.again(at_ns, Ready { thread, woken: true, since_ns: at_ns });
                }
                Event::Stops { cpu, thread, ran_ns } => {
                    cpus.end(at_ns, cpu);
                    todo[thread].run_ns -= ran_ns;
                    let done = todo[thread].run_ns == 0;
                    let block_ns = if done { todo[thread].block_ns } else { 0 };
                    if done {
                        todo[thread] = burst(thread);
                    }
                    let blocks = block_ns > 0;
                    if blocks {
                        agenda.after(block_ns, Event::Wakes(thread));
                        happened.blocked_ns[thread] += block_ns.min(until_ns - at_ns);
                    } else {
                        cpus.again(at_ns, Ready { thread, woken: false, since_ns: at_ns });
                    }
                    let (cpu, prev) = (cpu as usize, Some(thread));
                    happened.switches.push(Switch { at_ns, cpu, prev, blocks, next: None });
                }
            }
        }
        cpus.jobs().for_each(|ready| happened.waited(*ready, until_ns));
        Ok(happened)
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
        let happened = machine.run(2, 18, burst).unwrap();
        // 0 runs from 0 to 4 and from 6 on, alone until 1 is back at 16; it stops at 18.
        assert_eq!(happened.waited_ns, [2, 4 + 2]);
        assert_eq!(happened.blocked_ns, [0, 10]);
        assert!(happened.waits.iter().any(|wait| wait.thread == 1 && wait.woken));
    }
}
