//! `tail-latency leaf`: one leaf as a process of its own, on this host or another.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use lab_kit::clap::{Arg, ArgMatches, Command, value_parser};
use lab_kit::{Clock, Verb};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::leaf::{self, Leaf};
use crate::server::serve_leaf;
use crate::shard::{Data, Shard};
use crate::slowness::Service;

pub(crate) const LEAF: Verb = Verb { name: "leaf", command, run };

fn command(command: Command) -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).help(help)
    };
    command
        .about("Serve one leaf until killed, for `--set leaf-addresses=…`")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR")
                .default_value("127.0.0.1:0")
                .value_parser(value_parser!(SocketAddr))
                .help("Loopback, unless another address is given; port 0 lets the kernel choose"),
        )
        .arg(Arg::new("twin").long("twin").value_name("ADDR").help("The other replica, for ties"))
        .arg(number("shard", "0", "Which shard it holds").value_parser(value_parser!(u32)))
        .arg(
            number("replica", "0", "Which replica of it this is")
                .value_parser(value_parser!(u8).range(0..2)),
        )
        .arg(number("workers", "8", "Requests served at a time").value_parser(value_parser!(u64)))
        .arg(number("work", "10", "As the knob").value_parser(value_parser!(u64).range(1..)))
        .arg(number("service-time", "10ms", "As the knob").value_parser(lab_kit::parse_duration))
        .arg(number("slow-time", "200ms", "As the knob").value_parser(lab_kit::parse_duration))
        .arg(number("slow-fraction", "0.01", "As the knob").value_parser(value_parser!(f64)))
        .arg(number("correlation", "0", "As the knob").value_parser(value_parser!(f64)))
        .arg(number("seed", "1", "The trial's seed").value_parser(value_parser!(u64)))
}

fn run(matches: &ArgMatches) -> Result<()> {
    let address: SocketAddr = get(matches, "listen");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("listen on {address}"))?;
        println!("{}", listener.local_addr()?);
        let (shard, replica) = (get(matches, "shard"), get(matches, "replica"));
        let data = Data::Records(Arc::new(Shard::new(shard)));
        let leaf = Leaf::new(config(matches).into(), shard, replica, data);
        let twin = matches.get_one::<String>("twin").cloned();
        serve_leaf(leaf, listener, twin, Clock::live()).await;
        Ok(())
    })
}

fn config(matches: &ArgMatches) -> leaf::Config {
    leaf::Config {
        workers: get::<u64>(matches, "workers") as usize,
        work: get(matches, "work"),
        service: Service::SometimesSlow {
            typical: get(matches, "service-time"),
            slow: get(matches, "slow-time"),
            slow_fraction: get(matches, "slow-fraction"),
            correlation: get(matches, "correlation"),
        },
        background: None,
        chores: None,
        seed: get(matches, "seed"),
    }
}

fn get<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    matches.get_one::<T>(name).expect("every argument but the twin has a default").clone()
}
