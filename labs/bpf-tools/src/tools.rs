//! What each tool saw, held against what the workload knows: exact where the kernel counts, within
//! 2 % where it times.

use lab_kit::{Evidence, Figure, Gap, Judged, Observation, statements};
use lab_record::to_json;

use crate::rows::Rows;
use crate::scratch::NAME;
use crate::search_path::NOWHERE;

/// How far a time may be from the workload's own.
const TIMED: f64 = 0.02;

/// Of a process, what its start adds: the pages and requests of its own program.
const START: f64 = 0.02;

/// A tool of the tutorial, the probe that does its work, and its check.
type Tool = (&'static str, &'static str, fn(&Evidence) -> Judged);

/// The tutorial's eleven. tcpaccept has no probe of its own: tcplife tells the server's ends.
pub(crate) const ELEVEN: [Tool; 11] = [
    ("execsnoop", "execsnoop", execsnoop),
    ("opensnoop", "opensnoop", opensnoop),
    ("ext4slower", "ext4slower", ext4slower),
    ("biolatency", "biolatency", biolatency),
    ("biosnoop", "biosnoop", biosnoop),
    ("cachestat", "cachestat", cachestat),
    ("tcpconnect", "tcpconnect", tcpconnect),
    ("tcpaccept", "tcplife", tcpaccept),
    ("tcpretrans", "tcpretrans", tcpretrans),
    ("runqlat", "runqlat", runqlat),
    ("profile", "profile", profile),
];

/// Each of the eleven agrees with its workload.
pub(crate) fn eleven(e: &Evidence) -> Judged {
    let agree = ELEVEN
        .iter()
        .map(|(tool, _, check)| Ok((*tool, check(e)?.holds)))
        .collect::<Result<Vec<_>, Gap>>()?;
    statements(&agree)
}

/// The one observation of a variant by a probe, which must have seen all. Stacks may be lost where
/// none is looked at.
fn seen<'a>(e: &Evidence<'a>, variant: &str, probe: &str) -> Result<Observation<'a>, Gap> {
    let seen = e.observations(variant, probe)?.remove(0);
    let losses = seen.record.losses;
    let lost = losses.total() - losses.stacks;
    if lost > 0 {
        return Err(Gap::Invalid(format!("{probe} lost {lost} events")));
    }
    Ok(seen)
}

fn count(rows: usize) -> Figure {
    Figure::exact(rows as f64, "count")
}

/// Every child that starts a program, and no other.
pub(crate) fn execsnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "short-lived", "execsnoop")?;
    let parent = seen.metric("parent")?.to_string();
    let rows = Rows::of(&seen, "programs")?.with(&[("PPID", &parent)])?;
    count(rows.len()).near(seen.metric("children")?, 0.0)?.because("children seen")
}

/// Every open in vain, with its error.
pub(crate) fn opensnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "search-path", "opensnoop")?;
    let files = Rows::of(&seen, "files")?;
    let nowhere = files.beginning("PATH", NOWHERE)?;
    let not_there = files.with(&[("ERR", "2")])?;
    let in_vain = nowhere.iter().filter(|row| not_there.contains(row)).count();
    count(in_vain).near(seen.metric("planned")?, 0.0)?.because("opens with error 2")
}

/// Both ends of every session with their bytes.
pub(crate) fn tcplife(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcplife")?;
    let table = Rows::of(&seen, "connections")?;
    let server = local(&seen, "port")?;
    let clients = table.with(&[("REMOTE", &server)])?;
    let bytes = |column| Ok::<_, Gap>(Figure::exact(table.sum(&clients, column)?, "B"));
    count(clients.len())
        .near(seen.metric("sessions")?, 0.0)?
        .because("sessions seen")?
        .and(tcpaccept(e))?
        .and(bytes("SENT")?.near(seen.metric("sent")?, 0.0)?.because("sent"))?
        .and(bytes("RECEIVED")?.near(seen.metric("received")?, 0.0)?.because("received"))
}

/// The server's end of every session.
fn tcpaccept(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcplife")?;
    let servers = Rows::of(&seen, "connections")?.with(&[("LOCAL", &local(&seen, "port")?)])?;
    count(servers.len()).near(seen.metric("sessions")?, 0.0)?.because("accepted")
}

/// The time from a session's first state to its last.
pub(crate) fn lifetimes(e: &Evidence) -> Judged {
    let seen = seen(e, "held-sessions", "tcplife")?;
    let table = Rows::of(&seen, "connections")?;
    let clients = table.with(&[("REMOTE", &local(&seen, "port")?)])?;
    let lived = seen.metric("lived")?;
    if !clients.is_empty() {
        had_a_cpu(seen.metric("waited_for_a_cpu")?, lived)?;
    }
    Figure::exact(table.sum(&clients, "LIVED")?, "ns")
        .near_relative(lived, TIMED)?
        .because("lifetimes together")
}

/// Every attempt, whether somebody answers or not.
pub(crate) fn tcpconnect(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcpconnect")?;
    let table = Rows::of(&seen, "attempts")?;
    let at = |port, result| {
        let remote = local(&seen, port)?;
        Ok::<_, Gap>(count(table.with(&[("REMOTE", &remote), ("RESULT", result)])?.len()))
    };
    let refused = at("refusing_port", "connection refused")?;
    at("port", "connected")?
        .near(seen.metric("sessions")?, 0.0)?
        .because("connected")?
        .and(refused.near(seen.metric("refused")?, 0.0)?.because("refused"))
}

/// Every segment that the kernel has sent again, by its own account.
pub(crate) fn tcpretrans(e: &Evidence) -> Judged {
    let seen = seen(e, "deaf-receiver", "tcpretrans")?;
    let rows = Rows::of(&seen, "segments")?.with(&[("REMOTE", &local(&seen, "port")?)])?;
    let resent = seen.metric("resent")?;
    count(rows.len())
        .near(resent, 0.0)?
        .because("segments sent again")?
        .and(Figure::exact(resent, "count").at_least(1.0)?.because("by the kernel's account"))
}

/// Every call that the caller's own clock finds slow, and how slow.
pub(crate) fn ext4slower(e: &Evidence) -> Judged {
    let seen = seen(e, "slow-reads", "ext4slower")?;
    needs_ext4(seen.metric("on_ext4")?)?;
    let table = Rows::of(&seen, "calls")?;
    let ours = table.beginning("FILE", NAME)?;
    let (slow, wanted) = (seen.metric("slow_calls")?, seen.metric("wanted")?);
    let (time, cpu_time) = (seen.metric("slow_time")?, seen.metric("slow_cpu_time")?);
    if slow >= wanted {
        had_a_cpu(time - cpu_time, time)?;
    }
    let took = Figure::exact(table.sum(&ours, "TOOK")?, "ns");
    count(ours.len())
        .near(slow, seen.metric("doubtful")?)?
        .because("slow calls")?
        .and(Figure::exact(slow, "count").at_least(wanted)?.because("by the caller's clock"))?
        .and(took.near_relative(time, TIMED)?.because("their time"))
}

/// Invalid where the caller waited for a CPU for more of the time than may be amiss: on its way out
/// of a call, behind the tool's clock, a thread may lose its CPU to others.
fn had_a_cpu(waited: f64, time: f64) -> Result<(), Gap> {
    let share = waited / time;
    if share > TIMED {
        let share = share * 100.0;
        return Err(Gap::Invalid(format!("others had the CPU for {share:.0} % of that time")));
    }
    Ok(())
}

/// Unavailable where the workload's file was not on ext4.
pub(crate) fn needs_ext4(on_ext4: f64) -> Result<(), Gap> {
    if on_ext4 == 0.0 {
        return Err(Gap::Unavailable("this program does not lie on ext4".into()));
    }
    Ok(())
}

/// Every wait for the disk, and how long.
pub(crate) fn fsyncsnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "syncs", "fsyncsnoop")?;
    let table = Rows::of(&seen, "calls")?;
    let ours = table.beginning("FILE", NAME)?;
    let took = Figure::exact(table.sum(&ours, "TOOK")?, "ns");
    if !ours.is_empty() {
        had_a_cpu(seen.metric("waited_for_a_cpu")?, seen.metric("sync_time")?)?;
    }
    count(ours.len())
        .near(seen.metric("syncs")?, 0.0)?
        .because("syncs seen")?
        .and(took.near_relative(seen.metric("sync_time")?, TIMED)?.because("their time"))
}

/// Every request, one by one.
pub(crate) fn biosnoop(e: &Evidence) -> Judged {
    let seen = seen(e, "direct-reads", "biosnoop")?;
    needs_direct_reads(|name| seen.metric(name))?;
    // Pages of the program itself, where its start reads any, come in larger pieces.
    let rows = Rows::of(&seen, "requests")?.with(&[("TYPE", "read"), ("BYTES", "4096")])?;
    count(rows.len()).near(seen.metric("reads")?, 0.0)?.because("requests of a page")
}

/// The same, added up: as many in the histogram.
pub(crate) fn biolatency(e: &Evidence) -> Judged {
    let seen = seen(e, "direct-reads", "biolatency")?;
    needs_direct_reads(|name| seen.metric(name))?;
    let reads = seen.metric("reads")?;
    Figure::exact(seen.histogram("service")?.count as f64, "count")
        .between(reads, reads * (1.0 + START), Some(reads))?
        .because("requests in the histogram")
}

/// Unavailable where the workload's file could not be read past the cache, or lies on no device.
pub(crate) fn needs_direct_reads(metric: impl Fn(&str) -> Result<f64, Gap>) -> Result<(), Gap> {
    if let Ok(errno) = metric("direct_errno") {
        let error = std::io::Error::from_raw_os_error(errno as i32);
        return Err(Gap::Unavailable(format!("no reads past the page cache: {error}")));
    }
    if metric("no_device").is_ok() {
        return Err(Gap::Unavailable("this program lies on no block device".into()));
    }
    Ok(())
}

/// A cold file misses, a warm one hits, and every page of both is counted.
pub(crate) fn cachestat(e: &Evidence) -> Judged {
    let ratio = |variant| {
        let seen = seen(e, variant, "cachestat")?;
        needs_direct_reads(|name| seen.metric(name))?;
        let table = Rows::of(&seen, "pages")?;
        let all = table.with(&[])?;
        let of = |column| Ok::<_, Gap>(Figure::exact(table.sum(&all, column)?, "count"));
        let pages = of("READ")?
            .near_relative(seen.metric("pages_read")?, START)?
            .because("pages read")?
            .and(of("MISSES")?.near_relative(seen.metric("pages")?, START)?.because("misses"));
        Ok::<_, Gap>((Figure::exact(table.sum(&all, "READ HIT %")?, "%"), pages))
    };
    let ((warm, warm_pages), (cold, cold_pages)) = (ratio("warm-file")?, ratio("cold-file")?);
    warm.at_least(99.0)?
        .because("hits of the warm file")?
        .and(cold.at_most(3.0)?.because("of the cold one"))?
        .and(warm_pages)?
        .and(cold_pages)
}

/// Every read that brought nothing.
pub(crate) fn syscount(e: &Evidence) -> Judged {
    let seen = seen(e, "zero-reads", "syscount")?;
    let table = Rows::of(&seen, "system calls")?;
    let reads = table.with(&[("SYSCALL", "readv")])?;
    Figure::exact(table.sum(&reads, "COUNT")?, "count")
        .near(seen.metric("empty")?, 0.0)?
        .because("calls of readv; of them brought nothing")
}

/// Every first touch of a page, at the place of the code that touches.
pub(crate) fn pagefaults(e: &Evidence) -> Judged {
    let seen = seen(e, "first-touch", "pagefaults")?;
    let (pages, lost) = (seen.metric("pages")?, seen.record.losses.stacks as f64);
    if lost > pages * TIMED {
        return Err(Gap::Invalid(format!("pagefaults lost {lost} stacks")));
    }
    let folded = seen.folded("page-faults")?;
    let touching = folded.lines().filter(|line| line.contains("touch_each"));
    let faults = touching.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
    Figure::exact(faults, "count").near(pages, lost)?.because("faults in touch_each")
}

/// Waiting for a CPU, as the scheduler accounts it.
fn runqlat(e: &Evidence) -> Judged {
    let seen = seen(e, "spinners", "runqlat")?;
    let (waited, before) = (seen.metric("waited")?, seen.metric("waited_before")?);
    Figure::exact(seen.histogram("runqlat")?.sum as f64, "ns")
        .near(waited, TIMED * waited + before)?
        .because("waits together")
}

/// 49 samples for each second of CPU time, bcc's default.
fn profile(e: &Evidence) -> Judged {
    let seen = seen(e, "spinners", "profile")?;
    let expected = 49.0 * seen.metric("cpu_time")?;
    let samples = seen.record.folded.iter().map(|stacks| stacks.total).sum::<u64>();
    // Three standard errors of a count.
    Figure::exact(samples as f64, "samples").near_relative(expected, 3.0 / expected.sqrt())
}

/// A row for every request: four times as many take four times the bytes.
pub(crate) fn dump_grows(e: &Evidence) -> Judged {
    growth(e, "biosnoop", |seen| Ok(to_json(&seen.record).map_err(unwritten)?.len() as f64))?
        .near_relative(4.0, 0.1)?
        .because("bytes of four times the requests, told one by one")
}

/// Four times as many requests in a histogram of the same length.
pub(crate) fn sum_stays(e: &Evidence) -> Judged {
    let requests = growth(e, "biolatency", |seen| Ok(seen.histogram("service")?.count as f64))?;
    growth(e, "biolatency", |seen| Ok(to_json(&seen.record).map_err(unwritten)?.len() as f64))?
        .between(0.5, 2.0, None)?
        .because("bytes of four times the requests, added up")?
        .and(requests.near_relative(4.0, START)?.because("requests"))
}

/// How many times as much of something a probe finds of four times the requests.
fn growth(
    e: &Evidence,
    probe: &str,
    of: impl Fn(&Observation<'_>) -> Result<f64, Gap>,
) -> Result<Figure, Gap> {
    let amount = |variant| {
        let seen = seen(e, variant, probe)?;
        needs_direct_reads(|name| seen.metric(name))?;
        of(&seen)
    };
    Ok(Figure::exact(amount("more-direct-reads")? / amount("direct-reads")?, "times"))
}

fn unwritten(error: impl std::fmt::Display) -> Gap {
    Gap::Invalid(format!("what a probe saw cannot be written: {error}"))
}

/// An end on loopback as the tools write it.
fn local(seen: &Observation<'_>, port: &str) -> Result<String, Gap> {
    Ok(format!("127.0.0.1:{}", seen.metric(port)?))
}
