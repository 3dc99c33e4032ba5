//! What simulated time costs: `cargo bench -p lab-kit --bench simulation`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lab_kit::seed;
use lab_kit::sim::{Agenda, Discipline, Distribution, Nanos, Station};

enum Event {
    Arrival,
    End { server: u32, came: Nanos },
}

/// M/M/1 at a utilisation of 0.9: an arrival and an end for each request. At most 60 ns an event.
fn m_m_1(c: &mut Criterion) {
    const EVENTS: u64 = 1_000_000;
    let gap = Distribution::exponential(1e6 / 0.9).expect("a gap");
    let service = Distribution::exponential(1e6).expect("a service time");
    let mut group = c.benchmark_group("simulation");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("an event of M/M/1", |b| {
        b.iter(|| {
            let [mut gaps, mut services] = [0, 1].map(|purpose| seed::rng(1, &[purpose]));
            let mut station = Station::new(1, Discipline::Fifo).expect("a station");
            let (mut agenda, mut sum, mut happened) = (Agenda::new(), 0, 0);
            agenda.at(0, Event::Arrival);
            while let Ok(Some(event)) = agenda.step() {
                let now = agenda.now();
                happened += 1;
                match event {
                    Event::Arrival if happened >= EVENTS => break,
                    Event::Arrival => {
                        let _ = station.arrive(now, now);
                        agenda.after(gap.draw(&mut gaps), Event::Arrival);
                    }
                    Event::End { server, came } => {
                        station.end(now, server);
                        sum += now - came;
                    }
                }
                while let Some((server, came)) = station.start(now) {
                    agenda.after(service.draw(&mut services), Event::End { server, came });
                }
            }
            black_box(sum)
        });
    });
    group.finish();
}

/// A request to many leaves, of which the slowest decides: what each leaf's part costs. At most
/// 300 ns, and no more for 20,000 leaves than for 200.
fn fan_out(c: &mut Criterion) {
    const PARTS: u64 = 2_000_000;
    let service = Distribution::exponential(1e7).expect("a service time");
    let mut group = c.benchmark_group("a leaf's part");
    group.throughput(Throughput::Elements(PARTS)).sample_size(10);
    for leaves in [200, 2_000, 20_000] {
        group.bench_with_input(BenchmarkId::from_parameter(leaves), &leaves, |b, leaves| {
            b.iter(|| fan_out_once(*leaves, PARTS / leaves, &service));
        });
    }
    group.finish();
}

fn fan_out_once(leaves: u64, requests: u64, service: &Distribution) -> u64 {
    enum Event {
        Arrival,
        End { leaf: u32, server: u32, request: u32 },
    }
    let mut rng = seed::rng(1, &[]);
    let station = |_| Station::new(8, Discipline::Fifo).expect("a station");
    let mut stations: Vec<Station<u32>> = (0..leaves).map(station).collect();
    let mut left = vec![leaves; requests as usize];
    let (mut agenda, mut answered) = (Agenda::new(), 0);
    (0..requests).for_each(|request| agenda.at(request * 10_000_000, Event::Arrival));
    let mut came = 0;
    while let Ok(Some(event)) = agenda.step() {
        let now = agenda.now();
        let asked = match event {
            Event::Arrival => {
                for station in &mut stations {
                    let _ = station.arrive(now, came);
                }
                came += 1;
                0..stations.len()
            }
            Event::End { leaf, server, request } => {
                stations[leaf as usize].end(now, server);
                left[request as usize] -= 1;
                answered += u64::from(left[request as usize] == 0);
                leaf as usize..leaf as usize + 1
            }
        };
        for leaf in asked {
            while let Some((server, request)) = stations[leaf].start(now) {
                let leaf = leaf as u32;
                agenda.after(service.draw(&mut rng), Event::End { leaf, server, request });
            }
        }
    }
    answered
}

criterion_group!(benches, m_m_1, fan_out);
criterion_main!(benches);
