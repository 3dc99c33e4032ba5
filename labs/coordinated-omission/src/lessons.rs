//! What a newcomer predicts, sees and takes away: who waits for a server measures what it lets
//! them.

use lab_kit::{Answer, Evidence, Figures, Gap, How, Lesson};

pub(crate) const LESSONS: &[Lesson] = &[
    Lesson {
        claim: "CO-1",
        how: How::Simulated,
        span: "200s",
        setup: "A system answers in 1 ms for 100 s, and then stands still for 100 s. A monitor \
                asks it every 10 ms, but waits for each answer before it asks again. So it has \
                10,000 samples of 1 ms, and one of 100 s.",
        ask: "What mean response time does the monitor report?",
        answer: Answer::Time,
        hints: &[
            "Somebody who comes at any moment has even odds to come into the stall, and waits 50 s \
             on average: their mean is 25 s. The monitor did not ask during the stall.",
            "It reports 10,000 samples of 1 ms, and one of 100 s: add them up, divide by 10,001.",
        ],
        figures: mean_of_the_monitor,
        because: "The one sample of 100 s is one of 10,001. The mean of all who would have come is \
                  25 s. The monitor coordinated with the system: it omitted the samples of the \
                  stall.",
        away: "The system never stands still now. What mean does the monitor report?",
        so: "One stall that lasts for half of the time has moved the monitor's mean from 1 to 11 \
             ms, and its p99.9 not at all.",
    },
    Lesson {
        claim: "CO-6",
        how: How::Simulated,
        span: "8s",
        setup: "1,000 requests a second for 8 s, sent when they are due, whatever the server does. \
                It answers in 1 ms, and stands still once for 1.4 s.",
        ask: "What is the p99 of the response time, counted from when each request was due?",
        answer: Answer::Time,
        hints: &[
            "1,400 of the 8,000 requests come during the stall. The p99 is exceeded by 80 \
             requests.",
            "The first to come in the stall waits for all of it, the last for nothing: 80 of them \
             wait longer than 1.4 s less 80 ms.",
        ],
        figures: p99_of_the_open_loop,
        because: "One request in six met the stall, so that p99 is far inside of it: 1.4 s less \
                  the 80 ms in which the unluckiest 1 % came.",
        away: "The client now waits for the reply of a request before it sends the next on that \
               connection; it has 8. The stall is as it was. What is the p99?",
        so: "The same server, the same stall: it is the client that does not ask any more when \
             answers would be slow. Eight of its thousands of samples met the stall. That is \
             coordinated omission.",
    },
    Lesson {
        claim: "CO-5",
        how: How::Live,
        span: "3s",
        setup: "Now on this machine, over TCP, for 3 s: the server stands still for 1.4 s. One \
                client keeps its schedule; the other waits for replies.",
        ask: "How many times the p99 of the waiting client is that of the one that keeps its \
              schedule?",
        answer: Answer::Times,
        hints: &[
            "The waiting client's p99 is about one service: 1 ms and what the machine adds.",
            "The other's is near the stall.",
        ],
        figures: open_over_closed,
        because: "Both clients asked one server that did one thing. The load generator decides by \
                  three orders of magnitude what is reported.",
        away: "The open loop waits for replies as well now. How many times are the p99s apart?",
        so: "Nothing but the waiting makes the difference. Ask of any load generator: does it send \
             when a request is due, or when the last has been answered?",
    },
    Lesson {
        claim: "BRK-9",
        how: How::Simulated,
        span: "250s",
        setup: "A queue that is 80 % busy. One request in 1,000 takes 10 ms, all others 0.1 ms. In \
                one world requests come whenever they like; in the other a single client waits for \
                each answer, and thinks.",
        ask: "How many times the single client's p99 is the p99 of the open world?",
        answer: Answer::Times,
        hints: &[
            "The single client is never behind anybody: its p99 is a fast request.",
            "In the open world a request of 10 ms keeps those waiting that come meanwhile, and \
             they keep others: most waits are of tens of milliseconds.",
        ],
        figures: open_over_one_client,
        because: "A rare slow request costs a single client itself alone. In an open world it \
                  costs everybody who comes while the queue has not recovered.",
        away: "The queue is 1 % busy now. How many times are the p99s apart?",
        so: "Without others to wait for, both worlds see a service time. A test with few clients \
             that wait shows the service, not what users of a busy server meet.",
    },
];

fn mean_of_the_monitor(e: &Evidence) -> Result<Figures, Gap> {
    let of = "thought-experiment";
    let stall = e.settings_of(of).duration("stall").as_nanos() as f64;
    let samples = 10_000.0;
    let stalled = f64::from(u8::from(stall > 0.0));
    let predicted = (samples * 1e6 + stalled * stall) / (samples + stalled);
    Figures::against(e.metric(of, "uncorrected_mean")?.value, predicted)
}

fn p99_of_the_open_loop(e: &Evidence) -> Result<Figures, Gap> {
    let of = "open-loop";
    let p99 = e.quantile(of, "response", 0.99)?.value;
    Figures::against(p99, predicted_p99(e)?)
}

/// Who keeps the schedule sees the stall; who waits sees a service.
fn predicted_p99(e: &Evidence) -> Result<f64, Gap> {
    let knobs = e.settings_of("open-loop");
    if knobs.text("start-by") == "replies" {
        return Ok(knobs.duration("service-time").as_nanos() as f64);
    }
    Ok(e.metric("open-loop", "p99_by_closed_form")?.value)
}

fn open_over_closed(e: &Evidence) -> Result<Figures, Gap> {
    let p99 = |variant| (variant, "response", 0.99);
    let measured = e.ratio(p99("open-loop"), p99("closed-loop"))?.value;
    let service = e.settings_of("closed-loop").duration("service-time").as_nanos() as f64;
    Figures::against(measured, predicted_p99(e)? / service)
}

fn open_over_one_client(e: &Evidence) -> Result<Figures, Gap> {
    let p99 = |variant| (variant, "bimodal-response", 0.99);
    Figures::measured(e.ratio(p99("bimodal-open"), p99("bimodal-one-client"))?.value)
}
