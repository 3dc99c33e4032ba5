//! Connections, attempts, and segments sent again.

use lab_skip::{Need, skip};

use crate::support::{Bench, Row, assert_near, said};

#[test]
fn every_connection_is_seen_from_both_ends_with_its_bytes_and_lifetime() {
    let bench = Bench::new();
    let Some(seen) = bench.run(&["tcplife"], &["tcp", "20", "1000", "70000"]) else { return };
    let [port, lived_ns] = seen.printed[..] else { panic!("{:?}", seen.printed) };
    let server = format!("127.0.0.1:{port}");
    let of = |column: &str| -> Vec<Row<'_>> {
        seen.table().rows().filter(|row| row.text(column) == server).collect()
    };
    let (clients, servers) = (of("REMOTE"), of("LOCAL"));
    assert_eq!((clients.len(), servers.len()), (20, 20));
    assert_eq!(seen.table().rows().count(), 40);
    for (rows, sent, received) in [(&clients, 1_000, 70_000), (&servers, 70_000, 1_000)] {
        for row in rows {
            assert_eq!((row.count("SENT"), row.count("RECEIVED")), (sent, received));
            assert_eq!(row.text("COMM"), "counted");
        }
    }
    let lived = |rows: &[Row<'_>]| rows.iter().map(|row| row.count("LIVED")).sum::<u64>();
    assert_near(lived(&clients), lived_ns);
    let histogram = seen.histogram("tcplife");
    assert_eq!((histogram.count, histogram.sum), (40, lived(&clients) + lived(&servers)));
}

#[test]
fn a_connection_that_is_reset_has_its_owner_at_both_ends() {
    let bench = Bench::new();
    let Some(seen) = bench.run(&["tcplife"], &["resets", "20"]) else { return };
    let server = format!("127.0.0.1:{}", seen.printed[0]);
    for column in ["LOCAL", "REMOTE"] {
        let rows = seen.table().rows().filter(|row| row.text(column) == server);
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 20, "{column}");
        assert!(rows.iter().all(|row| row.text("COMM") == "counted" && row.count("PID") > 0));
    }
}

#[test]
fn attempts_to_connect_are_reported_with_their_result() {
    let bench = Bench::new();
    let Some(seen) = bench.run(&["tcpconnect"], &["refused", "100"]) else { return };
    let remote = format!("127.0.0.1:{}", seen.printed[0]);
    assert_eq!(seen.table().rows().count(), 100);
    for row in seen.table().rows() {
        assert_eq!((row.text("REMOTE"), row.text("RESULT")), (&*remote, "connection refused"));
    }
    assert_eq!(seen.histogram("tcpconnect").count, 0);

    let Some(seen) = bench.run(&["tcpconnect"], &["tcp", "20", "1", "1"]) else { return };
    assert_eq!(seen.table().rows().filter(|row| row.text("RESULT") == "connected").count(), 20);
    assert_eq!(seen.histogram("tcpconnect").count, 20);
}

#[test]
fn retransmitted_segments_match_the_kernels_count() {
    let bench = Bench::new();
    let Some(seen) = bench.run(&["tcpretrans"], &["unanswered", "2"]) else { return };
    let [port, sent_again] = seen.printed[..] else { panic!("{:?}", seen.printed) };
    assert_eq!(seen.table().rows().count() as u64, sent_again);
    for row in seen.table().rows() {
        let remote = format!("127.0.0.1:{port}");
        assert_eq!((row.text("REMOTE"), row.text("STATE")), (&*remote, "SYN_SENT"));
    }
}

/// A message that has not left this machine yet cannot be lost: the kernel wants to send it again,
/// and does not.
#[test]
fn a_segment_that_is_not_sent_again_is_no_row() {
    let bench = Bench::new();
    // A network of its own, whose loopback passes 400 kbit a second.
    let script = "ip link set lo mtu 1500 up && tc qdisc replace dev lo root tbf rate 400kbit \
                  burst 3k latency 60s && exec \"$0\" \"$@\"";
    let Some(output) =
        bench.try_under(&["unshare", "-n", "sh", "-c", script], &["tcpretrans"], &["delayed"])
    else {
        return skip(Need::Tools, "no unshare");
    };
    if !output.status.success() && !said(&output).contains("lab-probe: ") {
        return skip(Need::Tools, format!("no slow link can be made: {}", said(&output)));
    }
    let Some(seen) = bench.seen("tcpretrans", output) else { return };
    let [waited, sent_again] = seen.printed[..] else { panic!("{:?}", seen.printed) };
    assert!(waited > 0, "the kernel never wanted to send it again");
    assert_eq!(seen.table().rows().count() as u64, sent_again);
}
