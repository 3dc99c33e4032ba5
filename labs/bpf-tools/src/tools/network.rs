//! tcplife, tcpconnect, tcpretrans; and tcpaccept, whose work tcplife does.

use lab_kit::{Evidence, Figure, Gap, Judged, Observation};

use super::{TIMED, count, had_a_cpu, seen};
use crate::rows::Rows;
use crate::rows::Says::Only;

/// Both ends of every session with their bytes.
pub(crate) fn tcplife(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcplife")?;
    let table = Rows::of(&seen, "connections")?;
    let server = local(&seen, "port")?;
    let clients = table.with(&[("REMOTE", Only(&server))])?;
    let bytes = |column| Ok::<_, Gap>(Figure::exact(table.sum(&clients, column)?, "B"));
    count(clients.len())
        .near(seen.metric("sessions")?, 0.0)?
        .because("sessions seen")?
        .and(tcpaccept(e))?
        .and(bytes("SENT")?.near(seen.metric("sent")?, 0.0)?.because("sent"))?
        .and(bytes("RECEIVED")?.near(seen.metric("received")?, 0.0)?.because("received"))
}

/// The server's end of every session.
pub(super) fn tcpaccept(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcplife")?;
    let servers =
        Rows::of(&seen, "connections")?.with(&[("LOCAL", Only(&local(&seen, "port")?))])?;
    count(servers.len()).near(seen.metric("sessions")?, 0.0)?.because("accepted")
}

/// The time from a session's first state to its last.
pub(crate) fn lifetimes(e: &Evidence) -> Judged {
    let seen = seen(e, "held-sessions", "tcplife")?;
    let table = Rows::of(&seen, "connections")?;
    let clients = table.with(&[("REMOTE", Only(&local(&seen, "port")?))])?;
    let lived = seen.metric("lived")?;
    if !clients.is_empty() {
        had_a_cpu(seen.metric("waited_for_a_cpu")?, lived)?;
    }
    Figure::exact(table.sum(&clients, "LIVED")?, "ns")
        .near_relative(lived, TIMED)?
        .because("lifetimes together")
}

/// Every attempt, whether it is answered or not.
pub(crate) fn tcpconnect(e: &Evidence) -> Judged {
    let seen = seen(e, "sessions", "tcpconnect")?;
    let table = Rows::of(&seen, "attempts")?;
    let at = |port, result| {
        let remote = local(&seen, port)?;
        Ok::<_, Gap>(count(
            table.with(&[("REMOTE", Only(&remote)), ("RESULT", Only(result))])?.len(),
        ))
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
    let rows = Rows::of(&seen, "segments")?.with(&[("REMOTE", Only(&local(&seen, "port")?))])?;
    let resent = seen.metric("resent")?;
    count(rows.len())
        .near(resent, 0.0)?
        .because("segments sent again")?
        .and(Figure::exact(resent, "count").at_least(1.0)?.because("by the kernel's account"))
}

/// An end on loopback as the tools write it.
fn local(seen: &Observation<'_>, port: &str) -> Result<String, Gap> {
    Ok(format!("127.0.0.1:{}", seen.metric(port)?))
}
