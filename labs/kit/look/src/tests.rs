use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use lab_proc::{
    Activity, CpuTicks, Interface, Memory, Message, Pressure, Protocols, Traffic, Vmstat, block,
};
use lab_record::Figure;

use super::*;
use crate::processes::Ran;
use crate::reading::Told;

fn unknown<T>() -> Told<T> {
    Err("not told".into())
}

/// A machine that reports nothing.
fn silent(at: Instant) -> Reading {
    Reading {
        at,
        cpus: unknown(),
        load: unknown(),
        memory: unknown(),
        vmstat: unknown(),
        disks: unknown(),
        interfaces: unknown(),
        protocols: unknown(),
        waited_for_cpu: unknown(),
        waited_for_memory: unknown(),
        waited_for_disk: unknown(),
        throttled: unknown(),
    }
}

/// A machine with two idle CPUs.
fn idle(at: Instant) -> Reading {
    Reading {
        cpus: Ok(cpus([0, 0], 0)),
        memory: Ok(Memory { total: 1000, available: 900, ..Memory::default() }),
        vmstat: Ok(Vmstat::from("pswpin 0\npswpout 0\nallocstall_normal 0\noom_kill 0\n")),
        disks: Ok(vec![("vda".into(), block::Activity::default())]),
        interfaces: Ok(vec![interface("eth0", 0)]),
        protocols: Ok(protocols(0)),
        waited_for_cpu: Ok(Pressure::default()),
        waited_for_memory: Ok(Pressure::default()),
        waited_for_disk: Ok(Pressure::default()),
        throttled: Ok(Duration::ZERO),
        ..silent(at)
    }
}

/// The CPUs after this number of busy ticks each.
fn cpus(busy: [u64; 2], ticks: u64) -> Activity {
    let cpu = |busy: u64| CpuTicks { user: busy, idle: ticks - busy, ..CpuTicks::default() };
    let each: Vec<_> = busy.map(cpu).into_iter().enumerate().collect();
    Activity { all: each.iter().map(|(_, ticks)| *ticks).sum(), each, ..Activity::default() }
}

fn interface(name: &str, bytes: u64) -> Interface {
    let traffic = Traffic { bytes, ..Traffic::default() };
    Interface { name: name.into(), received: traffic, sent: Traffic::default() }
}

fn protocols(count: u64) -> Protocols {
    let text = format!(
        "Tcp: RetransSegs InErrs\nTcp: 0 0\nTcpExt: ListenDrops\nTcpExt: {count}\nUdp: \
         RcvbufErrors\nUdp: 0\n"
    );
    Protocols::from(text.as_str())
}

fn faults() -> Faults {
    Faults { machine_checks: Ok(0), ext4_errors: Ok(0), messages: Ok(Vec::new()) }
}

/// The resources over ten seconds that begin with an idle machine and end with this reading.
fn looked(end: impl FnOnce(&mut Reading)) -> Vec<Resource> {
    let begin = Instant::now();
    let mut last = idle(begin + Duration::from_secs(10));
    last.cpus = Ok(cpus([0, 0], 1000));
    end(&mut last);
    use_method::resources(&idle(begin), &last, None, Some((&faults(), &faults())))
}

/// The cells that stand out.
fn lit(resources: &[Resource]) -> Vec<String> {
    let cells = ["utilisation", "saturation", "errors"];
    let of = |resource: &Resource| {
        let lit = resource
            .cells()
            .into_iter()
            .zip(cells)
            .filter(|(cell, _)| cell.iter().any(Figure::lit));
        lit.map(|(_, cell)| format!("{} {cell}", resource.name)).collect::<Vec<_>>()
    };
    resources.iter().flat_map(of).collect()
}

fn waited(seconds: u64) -> Told<Pressure> {
    Ok(Pressure { some: Duration::from_secs(seconds), ..Pressure::default() })
}

#[test]
fn an_idle_machine_has_every_figure_and_none_stands_out() {
    let resources = looked(|_| ());
    assert_eq!(lit(&resources), Vec::<String>::new());
    assert_eq!(Seen::default().find(&resources), []);
    let told = |figure: &&Figure| figure.value.is_none();
    let missing: Vec<&str> = resources
        .iter()
        .flat_map(Resource::figures)
        .filter(told)
        .map(|f| f.what.as_str())
        .collect();
    // The test samples no ready tasks, and its link has no speed.
    assert_eq!(missing, ["ready a CPU", "busy"]);
}

#[test]
fn each_bottleneck_stands_out_in_its_own_cells() {
    let busy = looked(|last| {
        last.cpus = Ok(cpus([1000, 1000], 1000));
        last.waited_for_cpu = waited(6);
    });
    assert_eq!(lit(&busy), ["CPU utilisation", "CPU saturation"]);
    let full = looked(|last| {
        last.memory = Ok(Memory { total: 1000, available: 20, ..Memory::default() });
        last.vmstat = Ok(Vmstat::from("pswpin 5\npswpout 9000\nallocstall_normal 7\noom_kill 1\n"));
    });
    assert_eq!(lit(&full), ["memory utilisation", "memory saturation", "memory errors"]);
    let seek = looked(|last| {
        let busy =
            block::Activity { busy_ms: 9_500, waited_ms: 42_000, ..block::Activity::default() };
        last.disks = Ok(vec![("vda".into(), busy)]);
    });
    assert_eq!(lit(&seek), ["disk utilisation", "disk saturation"]);
    let crowded = looked(|last| last.protocols = Ok(protocols(50)));
    assert_eq!(lit(&crowded), ["network saturation"]);
}

#[test]
fn one_busy_cpu_stands_out_behind_an_idle_mean() {
    let resources = looked(|last| last.cpus = Ok(cpus([0, 1000], 1000)));
    assert_eq!(lit(&resources), ["CPU utilisation"]);
    let [all, one] = &resources[0].utilisation[..] else { panic!("two figures") };
    assert_eq!((all.value, one.value, one.of.as_str()), (Some(50.0), Some(100.0), "cpu1"));
    let ran = vec![Ran { pid: 7, name: "spin".into(), user: 99.0, system: 0.0, major_faults: 0 }];
    let found = Seen { ran, ..Seen::default() }.find(&resources);
    assert_eq!(found[0].says, "CPU: cpu1 busy 100 %; most by spin (7), 99 % of a CPU");
    assert_eq!(found[0].closer, "cargo xtask record --pid 7 --duration 10s");
}

#[test]
fn errors_come_first_and_then_what_waits() {
    let resources = looked(|last| {
        last.memory = Ok(Memory { total: 1000, available: 20, ..Memory::default() });
        last.waited_for_disk = waited(9);
        last.interfaces = Ok(vec![interface("eth0", 0), interface("eth1", 0)]);
        if let Ok(interfaces) = &mut last.interfaces {
            interfaces[0].received.errors = 3;
        }
    });
    let kernel = Message { level: 3, at: Duration::ZERO, text: "link is down".into() };
    let seen = Seen { said: vec![kernel], ..Seen::default() };
    let says: Vec<String> = seen.find(&resources).into_iter().map(|found| found.says).collect();
    let expected = [
        "Network errors: of interfaces 3",
        "The kernel says: link is down",
        "Disk: tasks waited 90 %",
        "Memory: used 98 %",
    ];
    assert_eq!(says, expected);
}

#[test]
fn a_figure_that_the_machine_does_not_report_has_a_reason_and_the_others_a_value() {
    let resources = looked(|last| {
        last.disks = Ok(Vec::new());
        last.waited_for_cpu = Err("/proc/pressure/cpu: No such file".into());
        last.interfaces = Err("/proc/net/dev: No such file".into());
    });
    let reason = |resource: usize, what: &str| {
        let figure = resources[resource].figures().find(|figure| figure.what == what).unwrap();
        assert_eq!(figure.value, None);
        figure.reason.as_str()
    };
    assert_eq!(reason(0, "tasks waited"), "/proc/pressure/cpu: No such file");
    assert_eq!(reason(2, "busy"), "this machine shows no disk");
    assert_eq!(reason(3, "dropped"), "/proc/net/dev: No such file");
    assert_eq!(resources[0].utilisation[0].value, Some(0.0));
}

#[test]
fn a_look_that_takes_no_time_has_finite_figures_and_no_rates() {
    let mut watch = Watch::begin(Some(std::process::id()));
    let look = Watch { tasks: Tasks::default(), ..watch }.end();
    assert_eq!((look.seconds, look.own_cpu_ratio), (0.0, None));
    let values =
        look.resources.iter().flat_map(Resource::figures).filter_map(|figure| figure.value);
    assert!(values.into_iter().all(f64::is_finite));
    assert!(look.unavailable.contains_key("vmstat 1"), "{:?}", look.unavailable);
    assert!(look.tables.iter().any(|table| table.name == "free -m"));
    watch = Watch::begin(None);
    watch.read();
    assert!(watch.seconds() > 0.0);
}

#[test]
fn the_worst_second_is_kept_for_each_figure() {
    let quiet = looked(|_| ());
    let mut worst = Vec::new();
    for busy in [100, 900, 300] {
        let second = looked(|last| last.cpus = Ok(cpus([busy, 0], 1000)));
        use_method::keep_worst(&mut worst, second);
    }
    let mut resources = quiet;
    use_method::add_worst(&mut resources, &worst);
    let [all, one] = &resources[0].utilisation[..] else { panic!("two figures") };
    assert_eq!((all.worst, one.worst, one.value), (Some(45.0), Some(90.0), Some(0.0)));
    assert!(!one.lit_for_a_moment(), "90 % is below its limit");
}

#[test]
fn spinning_threads_stand_out_at_the_cpu_and_an_unread_socket_at_the_network() {
    let online = lab_proc::cpus_online().unwrap().len();
    let watch = Watch::begin(Some(std::process::id()));
    let end = Instant::now() + Duration::from_millis(600);
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    thread::scope(|scope| {
        for _ in 0..2 * online {
            scope.spawn(|| while Instant::now() < end {});
        }
        while Instant::now() < end {
            // No thread receives, so the buffer is soon full.
            sender.send_to(&[0; 1024], receiver.local_addr().unwrap()).unwrap();
        }
    });
    let mut watch = watch;
    watch.read();
    let look = watch.end();
    let lit = lit(&look.resources);
    for cell in ["CPU utilisation", "CPU saturation", "network saturation"] {
        assert!(lit.contains(&cell.to_owned()), "{cell}: {lit:?} {:#?}", look.resources);
    }
    let process = look.tables.iter().find(|table| table.name == "the process").unwrap();
    assert_eq!(process.columns.len(), process.rows[0].len());
    assert!(look.stands_out.iter().any(|found| found.closer.contains("--pid")));
}
