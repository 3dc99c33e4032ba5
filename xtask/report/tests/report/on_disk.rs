//! What can be said of a page without a browser.

use std::fs;
use std::path::Path;

use lab_record::{How, Mode, Outcome, Plan, ShownBy, State, Summary, read_json, write_json};

use crate::fixture::{HOSTILE, Shape, USUAL, draw_more, observe, page, run, shown_by, tell};

/// What the script of a run's page is given.
fn data_of(dir: &Path) -> serde_json::Value {
    let html = fs::read_to_string(page(dir)).unwrap();
    let data = html.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn a_page_names_its_question_claims_command_and_files() {
    let (home, _) = run(USUAL);
    let html = fs::read_to_string(page(home.path())).unwrap();
    for words in [
        "Does it work?",
        "1 of 3 checks reproduced",
        "cargo xtask lab example --set note=other",
        "./trials/001-calm/response.hlog",
        "calm, cpu: 1,234 samples at 98.0 Hz of 99 Hz, perf-event",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let text = fs::read_to_string(home.path().join("report.md")).unwrap();
    assert!(
        text.contains("| **EX-1** Something holds. | live | 0.634 | 0.641 | 0.631 to 0.651 |"),
        "{text}"
    );
}

/// Where these words stand in the page, in the order of the page.
fn assert_in_order(html: &str, words: &[&str]) {
    let at = |word: &&str| html.find(*word).unwrap_or_else(|| panic!("{word} is not there"));
    let places: Vec<usize> = words.iter().map(at).collect();
    assert!(places.is_sorted(), "{words:?} at {places:?}");
}

#[test]
fn a_page_with_a_story_begins_with_its_chart_finding_and_next_step() {
    let (home, _) = run(USUAL);
    assert!(!fs::read_to_string(page(home.path())).unwrap().contains("id=\"story\""));
    tell(home.path(), Some(shown_by("A sweep", &["calm"])), Some("It took 7 ms."));
    let html = fs::read_to_string(page(home.path())).unwrap();
    let parts = ["<h1>Does it work?", "id=\"story\"", "A sweep</h3>", "<figcaption>"];
    assert_in_order(&html, &parts);
    let parts = ["<figcaption>", "It took 7 ms.", "What do you expect?", "id=\"claims\""];
    assert_in_order(&html, &parts);
    assert!(html.contains("cargo xtask lab example --set note=gone"));
    assert_eq!(html.matches("A sweep</h3>").count(), 1, "not drawn a second time");
    let text = fs::read_to_string(home.path().join("report.md")).unwrap();
    let parts =
        ["## example: ", "**It took 7 ms.**", "Try next: `cargo xtask", "checks reproduced"];
    assert_in_order(&text, &parts);

    tell(home.path(), None, None);
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains("No finding: no trial of it was planned"));
    assert_in_order(&html, &["id=\"story\"", "id=\"chart-0\"", "id=\"claims\"", "id=\"charts\""]);
}

/// The first figure of a page.
fn first_figure(dir: &Path) -> String {
    let html = fs::read_to_string(page(dir)).unwrap();
    let first = html.split("<figure id=\"").nth(1).unwrap_or_default();
    first.split("</h3>").next().unwrap_or_default().rsplit('>').next().unwrap().to_owned()
}

#[test]
fn a_story_without_its_chart_begins_with_stacks_of_two_sides_then_a_chart_then_a_flame_graph() {
    let (home, _) = run(USUAL);
    tell(home.path(), Some(shown_by("What this run has not", &["calm"])), Some("It is so."));
    assert_eq!(first_figure(home.path()), "Response, cumulative");
    let hot_cold = home.path().join("trials/001-calm/hot-cold.folded");
    fs::write(hot_cold, "worker;[on a CPU] 20\nworker;[blocked] 30\n").unwrap();
    assert_eq!(first_figure(home.path()), "calm, hot-cold: as the lab itself kept it");
    tell(home.path(), Some(ShownBy::FlameGraph { variant: "calm".into() }), Some("It is so."));
    assert!(first_figure(home.path()).starts_with("calm, cpu: "));

    let (home, _) = run(USUAL);
    tell(home.path(), None, Some("It is so."));
    for trial in fs::read_dir(home.path().join("trials")).unwrap() {
        let (dir, name) = (trial.as_ref().unwrap().path(), trial.unwrap().file_name());
        for file in fs::read_dir(&dir).unwrap().flatten() {
            let keeps = file.path().extension().is_some_and(|end| end == "folded");
            if !keeps || name != "900-profiled" {
                let _ = fs::remove_file(file.path());
            }
        }
    }
    let summary = home.path().join("summary.json");
    let mut found: Summary = read_json(&summary).unwrap();
    found.curves.clear();
    write_json(&summary, &found).unwrap();
    assert!(first_figure(home.path()).starts_with("calm, cpu: "), "{}", first_figure(home.path()));
}

/// The chart of this kind that the script is given.
fn chart_of(data: &serde_json::Value, kind: &str) -> serde_json::Value {
    let charts = data["charts"].as_array().unwrap();
    charts.iter().find(|chart| chart["kind"] == kind).unwrap().clone()
}

#[test]
fn bars_are_a_table_of_the_summarys_metrics_beside_what_the_source_says() {
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    let html = fs::read_to_string(page(home.path())).unwrap();
    let row = |label: &str, name: &str| {
        let start = format!("<tr class=\"bar\" data-label=\"{label}\" data-name=\"{name}\">");
        html.split(&start).nth(1).unwrap().split("</tr>").next().unwrap().to_owned()
    };
    let [lock, disk] = ["a lock", "a disk"].map(|name| row("busy", name));
    assert!(lock.contains("60 ns") && lock.contains("25 ns"), "{lock}");
    assert!(disk.contains("24.0 ms") && disk.contains("10.0 ms"), "{disk}");
    assert!(lock.contains("whisker"), "two trials differ: {lock}");
    let width = |row: &str| {
        let rect = row.split("<rect ").nth(1).unwrap().split("width=\"").nth(1).unwrap();
        rect.split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let ratio = width(&disk) / width(&lock);
    assert!((2.0..20.0).contains(&ratio), "a logarithmic axis: {ratio}");
    assert!(html.contains("logarithmic"));
}

#[test]
fn stacked_parts_are_means_of_the_trials_on_common_columns() {
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    let stack = chart_of(&data_of(home.path()), "stacked");
    assert_eq!(stack["trials"], 2);
    assert_eq!(stack["xs"], serde_json::json!([0.0, 1.0, 2.0]));
    let parts =
        serde_json::json!([["at the disk", [1.5, 3.5, 3.5]], ["at the CPU", [2.0, 2.0, 2.0]]]);
    assert_eq!(stack["parts"], parts);
    let html = fs::read_to_string(page(home.path())).unwrap();
    let figures = html.split("Figures of Where they wait").nth(1).unwrap();
    let row = figures.split("at the disk").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains("2.50 requests") && row.contains("3.50 requests"), "{row}");
}

#[test]
fn a_chart_of_named_rows_has_every_trial_and_a_table_of_its_rows() {
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    let rows = chart_of(&data_of(home.path()), "rows");
    let trials = rows["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 2, "those of the variant");
    assert_eq!(trials[0]["rows"][2][1][2], 9.0);
    let html = fs::read_to_string(page(home.path())).unwrap();
    let figures = html.split("Figures of Each server").nth(1).unwrap();
    let row = figures.split("001-calm · server 3").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains("0.450 requests") && row.contains("9 requests"), "{row}");
}

#[test]
fn a_gauge_is_drawn_of_every_trial_and_a_curve_keeps_its_intervals() {
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    let data = data_of(home.path());
    let lines = |title: &str| {
        let charts = data["charts"].as_array().unwrap().iter();
        let chart = charts.clone().find(|chart| chart["title"] == title).unwrap();
        chart["lines"].as_array().unwrap().clone()
    };
    assert_eq!(lines("The queue").len(), 4);
    let sweep = lines("A sweep");
    let measured = sweep.iter().find(|line| line["theory"] == false).unwrap();
    assert_eq!(measured["intervals"].as_array().unwrap().len(), 7);
}

#[test]
fn a_run_without_their_data_says_that_its_charts_are_absent() {
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    for trial in fs::read_dir(home.path().join("trials")).unwrap().flatten() {
        let file = trial.path().join("metrics.json");
        let mut metrics: lab_record::Metrics = read_json(&file).unwrap();
        metrics.metrics.clear();
        metrics.gauges.clear();
        metrics.grids.clear();
        write_json(&file, &metrics).unwrap();
    }
    let html = fs::read_to_string(page(home.path())).unwrap();
    let absent = "The queue; What things take; Where they wait; Each server&#39;s queue";
    let said = html.split("This run has no data for: ").nth(1).unwrap_or("nothing");
    assert!(said.replace("'", "&#39;").starts_with(absent), "{}", &said[..200.min(said.len())]);
}

#[test]
fn stacks_before_and_after_are_one_differential() {
    let (home, _) = run(USUAL);
    let keep = |trial: &str, kind: &str, folded: &str| {
        let file = home.path().join("trials").join(trial).join(kind).with_extension("folded");
        fs::write(file, folded).unwrap();
    };
    for trial in ["001-calm", "003-calm"] {
        keep(trial, "before", "main;a 300\nmain;b 100\n");
        keep(trial, "after", "main;a 300\nmain;b 500\n");
        keep(trial, "before-again", "main;a 300\nmain;b 100\n");
    }
    let stacks = ShownBy::Stacks { variant: "calm".into(), kind: "differential".into() };
    tell(home.path(), Some(stacks), Some("It grew."));
    assert_eq!(first_figure(home.path()), "calm: what changed from before to after");
    let data = data_of(home.path());
    let graphs: Vec<_> = data["flames"].as_array().unwrap().iter().collect();
    let titles: Vec<_> = graphs.iter().map(|graph| graph["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), 3, "the differential, before-again and the profile: {titles:?}");
    let changes = &graphs[0]["changes"];
    // 100 of 400 samples, then 500 of 800: all, main, a, b.
    assert_eq!([&changes[3][0], &changes[3][1]], [25.0, 62.5]);
}

#[test]
fn claims_that_need_other_variants_are_folded_and_in_no_tally() {
    let (home, _) = run(USUAL);
    let summary = home.path().join("summary.json");
    let mut found: Summary = read_json(&summary).unwrap();
    let more = |how, outcome| {
        let mut row = found.claims[0].clone();
        (row.how, row.outcome, row.chosen) = (how, outcome, how == How::ClosedForm);
        row
    };
    let check_of_another_way = more(How::Probe, Outcome::Unavailable);
    let formula_alone = more(How::ClosedForm, Outcome::Reproduced);
    let formula_alone = lab_record::Judgement { id: "EX-3".into(), ..formula_alone };
    found.claims[2].chosen = false;
    found.claims.insert(2, formula_alone);
    found.claims.insert(1, check_of_another_way);
    write_json(&summary, &found).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    let (judged, others) = html.split_once("<details class=\"others\">").unwrap();
    let others = others.split("</details>").next().unwrap();
    assert!(others.contains("<summary>1 claim needs and 1 check needs other variants"), "{others}");
    let rows = |part: &str| part.matches("<tr class=\"claim\"").count();
    assert_eq!((rows(judged), rows(others)), (2, 3));
    assert!(html.contains("2 of 3 checks reproduced, 1 not reproduced."), "of five rows");
    let text = fs::read_to_string(home.path().join("report.md")).unwrap();
    assert_in_order(
        &text,
        &["2 of 3 checks reproduced, 1 not", "EX-1", "1 claim needs and 1 check"],
    );
    assert!(!text.contains("EX-3"), "{text}");
    assert!(others.contains("id=\"claim-EX-3\"") && others.contains("id=\"other-claim-EX-1\""));
}

#[test]
fn ways_to_check_are_explained_once_above_the_claims() {
    let (home, _) = run(USUAL);
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert_in_order(
        &html,
        &["<dt>live</dt><dd>measured on this machine", "<table class=\"claims\""],
    );
    assert!(!html.contains("<dt>simulated</dt>"), "no check of this run is simulated");
    let summary = home.path().join("summary.json");
    let mut found: Summary = read_json(&summary).unwrap();
    found.claims[0].how = How::Simulated;
    write_json(&summary, &found).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert_eq!(html.matches("<dt>simulated</dt>").count(), 1);
    assert!(html.contains("data-how=\"simulated\""));
}

#[test]
fn a_run_whose_trials_are_all_simulated_is_called_a_simulated_run() {
    let (home, _) = run(USUAL);
    assert!(fs::read_to_string(page(home.path())).unwrap().contains(" · live run"));
    let file = home.path().join("plan.json");
    let mut plan: Plan = read_json(&file).unwrap();
    for trial in &mut plan.trials {
        trial.mode = Mode::Simulated;
    }
    write_json(&file, &plan).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains(" · simulated run") && !html.contains("live run"));
}

#[test]
fn a_flame_graph_of_few_samples_is_closed_and_says_why() {
    let closed = |stacks: u64| {
        let (home, _) = run(Shape { stacks, times: false, ..USUAL });
        fs::read_to_string(page(home.path())).unwrap().contains("Closed: with fewer than 100")
    };
    // Stacks have one to five samples.
    assert_eq!([33, 34].map(closed), [true, false], "99 samples, and 103");
}

#[test]
fn a_chart_without_data_is_named_and_leaves_no_empty_place() {
    let (home, _) = run(USUAL);
    let summary = home.path().join("summary.json");
    let mut found: Summary = read_json(&summary).unwrap();
    found.curves.retain(|curve| curve.name != "sweep");
    found.metrics.clear();
    write_json(&summary, &found).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains("This run has no data for: A sweep."));
    assert!(!html.contains("A sweep</h3>") && !html.contains("aria-label=\"Metrics\""));
    let (home, _) = run(Shape { stacks: 0, ..USUAL });
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(!html.contains("id=\"flames\"") && !html.contains("href=\"#flames\""));
}

#[test]
fn claims_and_the_charts_that_show_them_name_each_other() {
    let (home, _) = run(USUAL);
    let html = fs::read_to_string(page(home.path())).unwrap();
    let part = |from: &str, to: &str| html.split(from).nth(1).unwrap().split(to).next().unwrap();
    let claim = |id: &str| part(&format!("<tbody id=\"claim-{id}\">"), "</tbody>");
    let seen = "<a href=\"#chart-1\" data-claim=\"EX-1\">Response by percentile</a> (calm)";
    assert!(claim("EX-1").contains(seen), "{}", claim("EX-1"));
    assert!(claim("EX-2").contains("<a href=\"#flame-0\" data-claim=\"EX-2\">calm, cpu: "));
    assert!(!claim("EX-3").contains("Seen in"), "no chart shows it");
    let figure = |id: &str| part(&format!("<figure id=\"{id}\""), "</figure>");
    assert!(figure("chart-1").contains("Shows <a href=\"#claim-EX-1\">EX-1</a>"));
    assert!(figure("flame-0").contains("Shows <a href=\"#claim-EX-2\">EX-2</a>"));
    assert!(!figure("chart-0").contains("Shows"));
}

#[test]
fn probe_results_are_shown_with_their_cost_and_stacks() {
    let (home, _) = run(USUAL);
    assert!(!fs::read_to_string(page(home.path())).unwrap().contains("#probes"));
    observe(home.path());
    let html = fs::read_to_string(page(home.path())).unwrap();
    for words in [
        "href=\"#probes\"",
        "<h3>offcputime of calm</h3>",
        "40.0 ms in 12 runs, 2.00 % of a CPU",
        "<dt>lost</dt><dd>3</dd>",
        "<caption>blocked</caption>",
        "<h3>calm, off-cpu: as offcputime saw it</h3>",
        "a probe adds its stacks up in the kernel, without times",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let rows = html.split("<table class=\"histogram\">").nth(1).unwrap();
    let rows = rows.split("</table>").next().unwrap().matches("scope=\"row\"").count();
    assert_eq!(rows, 3, "1, 2 and 4 ms");
    fs::remove_file(home.path().join("trials/901-observed/probe/offcputime.json")).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains("probe/offcputime.json</a>: read "), "the record is missed by name");
}

#[test]
fn stacks_of_a_probe_and_of_a_lab_are_not_added_up() {
    let (home, _) = run(USUAL);
    observe(home.path());
    let keep = |trial: &str, us: u32| {
        let file = home.path().join("trials").join(trial).join("off-cpu.folded");
        fs::write(file, format!("main;wait {us}\n")).unwrap();
    };
    keep("001-calm", 500);
    keep("901-observed", 70);
    let data = data_of(home.path());
    let graphs = data["flames"].as_array().unwrap().iter();
    let graphs: Vec<_> = graphs
        .map(|graph| (graph["title"].as_str().unwrap(), &graph["boxes"][2], &graph["unit"]))
        .filter(|(title, ..)| title.starts_with("calm, off-cpu"))
        .map(|(title, all, unit)| (title, all.as_u64().unwrap(), unit.as_str().unwrap()))
        .collect();
    let kept = ("calm, off-cpu: as the lab itself kept it", 500, "µs");
    assert_eq!(graphs, [kept, ("calm, off-cpu: as offcputime saw it", 4_000, "µs")]);
}

#[test]
fn all_of_many_small_graphs_are_drawn_but_only_the_first_large_ones() {
    let shown = |stacks: u64| {
        let (home, _) = run(Shape { stacks: 0, ..USUAL });
        let text: String = (0..stacks).map(|i| format!("main;a_frame_{i} {}\n", i + 1)).collect();
        for kind in 10..40 {
            let file = home.path().join(format!("trials/001-calm/kind-{kind}.folded"));
            fs::write(file, &text).unwrap();
        }
        let html = fs::read_to_string(page(home.path())).unwrap();
        let graphs = data_of(home.path())["flames"].as_array().unwrap().len();
        (graphs, html.matches("Left out for size: the kind-").count())
    };
    assert_eq!(shown(100), (30, 0));
    let (graphs, left_out) = shown(20_000);
    assert_eq!(graphs + left_out, 30);
    assert!((12..=15).contains(&graphs), "{graphs}");
}

#[test]
fn a_profile_without_times_says_why_no_window_of_it_can_be_picked() {
    let said = |change: &dyn Fn(&Path), shape: Shape| {
        let (home, _) = run(shape);
        change(&home.path().join("trials/900-profiled"));
        let html = fs::read_to_string(page(home.path())).unwrap();
        let why = html.split("No window of this profile can be picked: ").nth(1);
        why.map(|rest| rest.split(".</p>").next().unwrap().to_owned())
    };
    assert_eq!(said(&|_| {}, USUAL), None);
    let pprof = said(&|_| {}, Shape { times: false, ..USUAL });
    assert_eq!(pprof.as_deref(), Some("pprof takes no times of its samples"));
    let gone = said(&|dir| fs::remove_file(dir.join("cpu.times")).unwrap(), USUAL);
    assert_eq!(gone.as_deref(), Some("there are no times of its samples"));
    let no_log = said(&|dir| fs::remove_file(dir.join("response.hlog")).unwrap(), USUAL);
    assert_eq!(no_log.as_deref(), Some("the trial has no log of responses"));
    let other = said(&|dir| fs::write(dir.join("cpu.times"), "5000000000 0\n").unwrap(), USUAL);
    assert!(other.unwrap().ends_with("cpu.times: not the times of these stacks"));
    let mute = |dir: &Path| {
        let file = dir.join("metrics.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("began_ns", "began_long_ago")).unwrap();
    };
    let mute = said(&mute, USUAL);
    assert_eq!(mute.as_deref(), Some("the lab does not say when its time began"));
}

/// The lines are drawn from the logs and the tables from the summary: both must say the same.
#[test]
fn the_percentiles_that_are_drawn_are_those_of_the_tables() {
    let (home, summary) = run(USUAL);
    let data = data_of(home.path());
    let steps = data["steps"].as_u64().unwrap() as usize;
    let mut compared = 0;
    for (label, all) in &summary.series {
        for (name, in_table) in all.iter().filter(|(name, _)| *name != "hiccup") {
            let drawn = &data["series"][name][label];
            assert_eq!(drawn["count"].as_u64(), Some(in_table.count));
            assert_eq!(drawn["max_ns"].as_u64(), in_table.max_ns);
            let known = [in_table.p90_ns, in_table.p99_ns, in_table.p99_9_ns];
            for (decades, in_table) in (1..).zip(known) {
                assert!(in_table.is_some(), "{label} {name}");
                assert_eq!(drawn["ns"][decades * steps].as_u64(), in_table, "{label} {name}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 18, "two labels, three series, three percentiles");
}

#[test]
fn the_same_run_is_the_same_page() {
    let (home, _) = run(USUAL);
    let first = fs::read(page(home.path())).unwrap();
    assert!(fs::read(page(home.path())).unwrap() == first);
}

#[test]
fn hostile_strings_are_escaped_everywhere() {
    let (home, _) = run(Shape { hostile: true, stacks: 20, ..USUAL });
    let html = fs::read_to_string(page(home.path())).unwrap();
    for markup in
        ["<img", "<script>document", "javascript:alert", "onerror=\"", "</script><script>d"]
    {
        assert!(!html.contains(markup), "{markup}");
    }
    assert_eq!(html.matches("<script").count(), 2, "the data and the script");
    let text = fs::read_to_string(home.path().join("report.md")).unwrap();
    // The command and the directory stand in code quotes, where nothing is markup.
    let outside = text.lines().filter(|line| !line.contains("`` "));
    assert!(outside.clone().count() > 10);
    for line in outside {
        assert!(!line.contains(['<', '>']), "{line}");
    }
    assert!(HOSTILE.contains("<img"));
}

#[test]
fn missing_files_are_named_and_the_rest_is_shown() {
    let (home, _) = run(USUAL);
    let trials = home.path().join("trials");
    fs::remove_file(home.path().join("environment.json")).unwrap();
    fs::remove_file(trials.join("001-calm/metrics.json")).unwrap();
    fs::remove_file(trials.join("002-busy/response.hlog")).unwrap();
    fs::write(trials.join("003-calm/service.hlog"), "cut off").unwrap();
    fs::remove_file(trials.join("900-profiled/cpu.folded")).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    for words in [
        "environment.json is not there",
        "trials/001-calm: no metrics, so the trial did not finish",
        "002-busy: read ",
        "003-calm: interval log ",
        "This run has no profile",
        "EX-1",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn a_run_without_histograms_or_plan_has_a_page_of_what_it_has() {
    let (home, _) = run(Shape { stacks: 0, ..USUAL });
    for entry in fs::read_dir(home.path().join("trials")).unwrap() {
        for file in fs::read_dir(entry.unwrap().path()).unwrap().flatten() {
            if file.path().extension().is_some_and(|end| end == "hlog") {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }
    fs::remove_file(home.path().join("plan.json")).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains("This run has no histograms"));
    assert!(html.contains("plan.json is not there"));
    assert!(html.contains("EX-2"));
}

#[test]
fn a_run_of_one_sample_and_an_unfinished_run_have_pages() {
    let (home, _) = run(Shape { trials: 1, intervals: 1, requests: 1, stacks: 0, ..USUAL });
    assert!(fs::read_to_string(page(home.path())).unwrap().contains("class=\"chart\""));
    fs::remove_file(home.path().join("summary.json")).unwrap();
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(html.contains("summary.json is not there"));
    let text = fs::read_to_string(home.path().join("report.md")).unwrap();
    assert!(text.contains("the run was not finished"));
}

#[test]
fn a_later_minor_is_read_and_another_major_is_named() {
    let (home, _) = run(USUAL);
    let plan = home.path().join("plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replace("perf-lab.run/1", "perf-lab.run/1.7")).unwrap();
    assert!(!fs::read_to_string(page(home.path())).unwrap().contains("Missing from this page"));
    fs::write(&plan, text.replace("perf-lab.run/1", "perf-lab.run/2")).unwrap();
    assert!(fs::read_to_string(page(home.path())).unwrap().contains("perf-lab.run/2"));
}

#[test]
fn a_run_of_an_older_minor_has_its_page() {
    let (home, _) = run(USUAL);
    // What came later, and what an older program therefore did not write.
    let older = [("summary.json", "probes"), ("trials/900-profiled/metrics.json", "began_ns")];
    for (file, later) in older {
        let file = home.path().join(file);
        let text = fs::read_to_string(&file).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove(later).expect(later);
        fs::write(&file, value.to_string()).unwrap();
    }
    let html = fs::read_to_string(page(home.path())).unwrap();
    assert!(!html.contains("Missing from this page"));
    assert!(html.contains("1 of 3 checks reproduced"));
}

#[test]
fn a_directory_that_is_no_run_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let error = lab_report::write_run(home.path(), None).unwrap_err();
    assert!(error.to_string().contains("not a run directory"), "{error:#}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn the_index_lists_runs_newest_first_with_their_trends() {
    let home = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let dir = home.path().join("example").join(name);
        fs::create_dir_all(&dir).unwrap();
        let summary = crate::fixture::write(&dir, Shape { stacks: 0, ..USUAL });
        assert!(summary.trials.iter().all(|trial| trial.state == State::Finished));
        let (file, created) = (dir.join("plan.json"), format!("2026-01-0{}T", name.len() - 1));
        let plan = fs::read_to_string(&file).unwrap().replace("2026-01-02T", &created);
        fs::write(
            &file,
            if name == "two" { plan.replace("2026-01-02T", "2026-01-09T") } else { plan },
        )
        .unwrap();
    }
    fs::create_dir_all(home.path().join("example/broken")).unwrap();
    fs::write(home.path().join("example/broken/plan.json"), "{").unwrap();
    let html = fs::read_to_string(lab_report::write_index(home.path()).unwrap()).unwrap();
    let at = |words: &str| html.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(at("href=\"./example/two/\"") < at("href=\"./example/one/\""), "newest first");
    assert!(html.contains("3 runs") && html.contains("not a run directory"));
    assert!(html.contains("0123456789ab") && html.contains("polyline"));
}
