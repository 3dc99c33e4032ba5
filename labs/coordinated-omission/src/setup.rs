//! The settings of a trial: its load, its server and the stall, in times since the trial began.

use std::time::Duration;

use lab_kit::load::Pause;
use lab_kit::{Ctx, Timeline};

/// One experiment, live or simulated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Requests a second that the load is meant to have, over all connections.
    pub(crate) rate: f64,
    pub(crate) connections: u32,
    /// How long the server takes for a request; it serves any number at once.
    pub(crate) service: Duration,
    /// The server's one pause, in which it reads nothing and answers nothing.
    pub(crate) stall: Pause,
    pub(crate) timeline: Timeline,
}

impl Setup {
    /// The knobs of a trial. A stall that begins after the measured span makes it invalid.
    pub(crate) fn of(ctx: &mut Ctx) -> Self {
        let timeline = ctx.timeline();
        let (stall_at, length) = (ctx.duration("stall-at"), ctx.duration("stall"));
        if !length.is_zero() && stall_at >= timeline.measure {
            let span = timeline.measure;
            ctx.invalid(format!("the stall begins {stall_at:?} into a measured span of {span:?}"));
        }
        Self {
            rate: ctx.int("rate") as f64,
            connections: ctx.int("connections") as u32,
            service: ctx.duration("service-time"),
            stall: Pause { from: timeline.warmup + stall_at, length },
            timeline,
        }
    }

    /// The gap between two requests of one connection.
    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.connections) / self.rate)
    }

    /// How long a request may take before its client gives it up.
    pub(crate) fn timeout(&self) -> Duration {
        self.stall.length + Duration::from_secs(10)
    }

    /// When a request sent at `sent` is answered: the server is a line of constant delay, read and
    /// written only while it runs.
    pub(crate) fn answered(&self, sent: Duration) -> Duration {
        self.stall.past(self.stall.past(sent) + self.service)
    }

    /// The part of the measured span in which the server stood still.
    pub(crate) fn stalled_span(&self) -> Duration {
        self.stall.until().min(self.timeline.span()).saturating_sub(self.stall.from)
    }
}
