//! Every probe, each in its file.

use super::Probe;

/// The committed object of a program.
macro_rules! object {
    ($name:literal) => {
        aya::include_bytes_aligned!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../prebuilt/x86_64/",
            $name,
            ".bpf.o"
        ))
    };
}

mod biolatency;
mod biosnoop;
mod block;
mod cachestat;
mod cpudist;
mod execsnoop;
mod ext4slower;
mod file;
mod fsyncsnoop;
mod funclatency;
mod offcputime;
mod offwaketime;
mod opensnoop;
mod pagefaults;
mod profile;
mod requests;
mod runqlat;
mod syscount;
mod tcp;
mod tcpconnect;
mod tcplife;
mod tcpretrans;
mod wakeuptime;

/// The probe of this name, which is one of `lab_record::probe::PROBES`.
pub(super) fn find(name: &str) -> &'static Probe {
    match name {
        "biolatency" => &biolatency::PROBE,
        "biosnoop" => &biosnoop::PROBE,
        "cachestat" => &cachestat::PROBE,
        "cpudist" => &cpudist::PROBE,
        "execsnoop" => &execsnoop::PROBE,
        "ext4slower" => &ext4slower::PROBE,
        "fsyncsnoop" => &fsyncsnoop::PROBE,
        "funclatency" => &funclatency::PROBE,
        "offcputime" => &offcputime::PROBE,
        "offwaketime" => &offwaketime::PROBE,
        "opensnoop" => &opensnoop::PROBE,
        "pagefaults" => &pagefaults::PROBE,
        "profile" => &profile::PROBE,
        "requests" => &requests::PROBE,
        "runqlat" => &runqlat::PROBE,
        "syscount" => &syscount::PROBE,
        "tcpconnect" => &tcpconnect::PROBE,
        "tcplife" => &tcplife::PROBE,
        "tcpretrans" => &tcpretrans::PROBE,
        "wakeuptime" => &wakeuptime::PROBE,
        _ => unreachable!("{name} is listed, and has no loader: add it here"),
    }
}

#[cfg(test)]
mod tests {
    use lab_record::probe::PROBES;

    use super::*;

    #[test]
    fn every_listed_probe_has_a_loader_and_a_small_object() {
        for spec in PROBES {
            let size = find(spec.name).object.len();
            assert!((1..=32_768).contains(&size), "{}: {size} bytes", spec.name);
        }
    }
}
