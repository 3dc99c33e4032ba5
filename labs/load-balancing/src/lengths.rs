//! Queue lengths over time, for a heat map of servers.

use lab_kit::sim::Nanos;
use lab_kit::{Ctx, Grid};

use crate::charts::QUEUES;

/// The length of each queue at each sampling time.
#[derive(Debug)]
pub(crate) struct Lengths {
    starts_s: Vec<f64>,
    rows: Vec<Vec<f64>>,
}

impl Lengths {
    /// No samples yet, for this many servers.
    pub(crate) fn of(servers: usize) -> Self {
        Self { starts_s: Vec::new(), rows: vec![Vec::new(); servers] }
    }

    /// Records the length of each queue; samples are equally spaced in time.
    pub(crate) fn look(&mut self, now: Nanos, lengths: &[usize]) {
        self.starts_s.push(now as f64 / 1e9);
        for (row, length) in self.rows.iter_mut().zip(lengths) {
            row.push(*length as f64);
        }
    }

    /// Records all samples as the trial's grid.
    pub(crate) fn file(self, ctx: &mut Ctx) {
        let rows = self.rows.into_iter().enumerate();
        let grid = Grid {
            unit: "requests".into(),
            starts_s: self.starts_s,
            end_s: ctx.timeline().span().as_secs_f64(),
            rows: rows.map(|(server, row)| (format!("server {server}"), row)).collect(),
        };
        ctx.grid(QUEUES, grid);
    }
}
