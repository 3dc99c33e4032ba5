//! What only a browser can test: pages that are opened, read back, and used.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lab_record::{ChartSpec, CurveSummary, Plan, Summary, read_json, write_json};
use lab_skip::{Need, skip};
use serde_json::Value;

use crate::browser::{Browser, start};
use crate::fixture::{
    HOSTILE, Shape, USUAL, draw_more, observe, page, run, shown_by, spread, tell,
};

/// Far more than the second that a page may take where nothing else runs.
const INTERACTIVE: Duration = Duration::from_secs(5);

fn assert_quiet(browser: &Browser) {
    assert_eq!(browser.complaints, Vec::<String>::new());
    for address in &browser.requests {
        assert!(
            address.starts_with("file://") && address.ends_with(".html"),
            "asked for {address}"
        );
    }
}

/// What names a row of a table, and its exact figures with their classes.
pub(crate) type Row = (Vec<String>, Vec<(String, f64)>);

/// The rows that the selector finds, in their order.
pub(crate) fn rows(browser: &mut Browser, selector: &str, names: &str) -> Vec<Row> {
    let found = browser.run(&format!(
        "[...document.querySelectorAll('{selector}')].map((row) => [{names}.map((name) => row.dataset[name]),
           [...row.querySelectorAll('data')].map((it) => [it.className, Number(it.value)])])"
    ));
    serde_json::from_value(found).unwrap()
}

/// Figures as `rows` has them; what is not known is no figure.
pub(crate) fn figures<const N: usize>(known: [(&str, Option<f64>); N]) -> Vec<(String, f64)> {
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

#[test]
fn every_figure_of_the_page_is_the_summarys() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let summary: Summary = read_json(&home.path().join("summary.json")).unwrap();

    let mut series = Vec::new();
    for (label, all) in &summary.series {
        for (name, s) in all {
            let ns = |ns: Option<u64>| ns.map(|ns| ns as f64);
            let of_row = figures([
                ("count", Some(s.count as f64)),
                ("min_ns", ns(s.min_ns)),
                ("mean_ns", s.mean_ns),
                ("p50_ns", ns(s.p50_ns)),
                ("p90_ns", ns(s.p90_ns)),
                ("p99_ns", ns(s.p99_ns)),
                ("p99_9_ns", ns(s.p99_9_ns)),
                ("max_ns", ns(s.max_ns)),
                ("over_range", Some(s.over_range as f64)),
            ]);
            series.push((vec![label.clone(), name.clone()], of_row));
        }
    }
    assert_eq!(rows(&mut browser, "tr.series", "['label', 'series']"), series);

    let claims = summary.claims.iter().map(|claim| {
        let of_row = figures([
            ("predicted", claim.predicted),
            ("measured", claim.measured),
            ("low", claim.low),
            ("high", claim.high),
        ]);
        (vec![claim.id.clone()], of_row)
    });
    assert_eq!(rows(&mut browser, "tr.claim", "['id']"), claims.collect::<Vec<_>>());

    let metrics = summary.metrics.iter().flat_map(|(label, all)| {
        all.iter().map(|(name, value)| {
            (vec![label.clone(), name.clone()], figures([("value", Some(*value))]))
        })
    });
    assert_eq!(rows(&mut browser, "tr.metric", "['label', 'metric']"), metrics.collect::<Vec<_>>());

    let trials = summary.trials.iter().map(|trial| {
        let a = trial.accounting;
        let ends = [a.completed, a.failed, a.refused, a.timed_out, a.abandoned, a.in_flight];
        let counts = [[a.offered].as_slice(), &ends, &[a.dropped, a.attempts]].concat();
        let counts: [u64; 9] = counts.try_into().unwrap();
        (vec![trial.id.clone()], figures(counts.map(|count| ("count", Some(count as f64)))))
    });
    assert_eq!(rows(&mut browser, "tr.trial", "['id']"), trials.collect::<Vec<_>>());
    assert_quiet(&browser);
}

#[test]
fn percentile_plots_are_read_toggled_and_zoomed() {
    let Some(mut browser) = start() else { return };
    let (home, summary) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let chart = "#chart-1";
    let value = format!("document.querySelector('{chart} .chip output').textContent");
    assert_eq!(browser.text(&value), "");
    browser.hover(&format!("{chart} .u-over"), 0.5, 0.5);
    assert!(browser.text(&value).ends_with(" ms"), "{}", browser.text(&value));

    // By keyboard to the median, whose value the summary has.
    browser.run(&format!("document.querySelector('{chart} .plot').focus()"));
    browser.press("Home");
    let first = summary.series["calm"]["response"].min_ns.unwrap() as f64 / 1e6;
    let read: f64 = browser.text(&value).trim_end_matches(" ms").parse().unwrap();
    assert!((read / first - 1.0).abs() < 0.01, "{read} ms at p0, {first} ms in the summary");

    let lines = format!("document.querySelectorAll('{chart} .chip output').length");
    assert_eq!(browser.run(&lines), 3, "calm, busy, and the theory of calm");
    browser.click(&format!("{chart} .options summary"));
    browser.click(&format!("{chart} .options button:nth-child(2)"));
    browser.press("Home");
    browser.hover(&format!("{chart} .u-over"), 0.3, 0.5);
    let both = browser.text(&value);
    assert!(both.contains("response ") && both.contains("service "), "{both}");

    let pressed = format!("document.querySelector('{chart} .chip').getAttribute('aria-pressed')");
    browser.click(&format!("{chart} .chip"));
    assert_eq!(browser.text(&pressed), "false", "the variant is off");

    let ticks = format!("document.querySelector('{chart} canvas').toDataURL()");
    let before = browser.text(&ticks);
    browser.drag(&format!("{chart} .u-over"), 0.2, 0.5);
    let zoomed = browser.text(&ticks);
    assert!(zoomed != before, "dragging zooms");
    let mut press = |words: &str| {
        browser.run(&format!(
            "[...document.querySelectorAll('{chart} button')].find((one) => one.textContent === '{words}').click()"
        ));
        browser.settle();
        browser.text(&ticks)
    };
    // Each draws the whole anew, so what the scale changes shows only beside the whole.
    let whole = press("reset zoom");
    assert!(whole != zoomed, "the whole is back");
    assert!(press("log y") != whole, "linear is drawn anew");
    assert!(press("log y") == whole, "and logarithmic again");
    assert_quiet(&browser);
}

/// The names of a chart's lines in its legend, those that are on, and what stands for the rest.
fn legend(browser: &mut Browser, chart: &str) -> Value {
    browser.run(&format!(
        "(() => {{ const chips = [...document.querySelectorAll('{chart} .chip')];
           const more = [...document.querySelectorAll('{chart} button')].find((one) => one.textContent.endsWith(' more'));
           return [chips.map((chip) => chip.textContent),
             chips.filter((chip) => chip.getAttribute('aria-pressed') === 'true').length, more ? more.textContent : '']; }})()"
    ))
}

#[test]
fn of_many_lines_four_are_on_and_the_rest_stands_behind_more() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(Shape { trials: 9, ..USUAL });
    spread(home.path());
    let named = shown_by("Response by percentile", &["v-7", "v-2"]);
    tell(home.path(), Some(named), Some("It is so."));
    browser.open(&page(home.path()), 1280, 900);
    let first = "#story figure";
    let two = serde_json::json!([["v-2", "v-7"], 2, "8 more"]);
    assert_eq!(legend(&mut browser, first), two, "those that the story names");
    let other = "#charts figure[data-kind=ecdf]";
    let four = serde_json::json!([["v-1", "v-2", "v-3", "v-4"], 4, "6 more"]);
    assert_eq!(legend(&mut browser, other), four, "the first where nothing is named");
    browser.run(
        "[...document.querySelectorAll('#story button')].find((one) => one.textContent === '8 more').click()",
    );
    let all = legend(&mut browser, first);
    assert_eq!((all[0].as_array().unwrap().len(), &all[1], &all[2]), (10, &2.into(), &"".into()));
    assert_quiet(&browser);
}

#[test]
fn several_lines_of_one_variant_have_colours_of_their_own() {
    let Some(mut browser) = start() else { return };
    let (home, mut found) = run(USUAL);
    let sweep = found.curves[0].clone();
    let other = CurveSummary { name: "other sweep".into(), ..sweep.clone() };
    found.curves.extend([other, CurveSummary { variant: "busy".into(), ..sweep }]);
    write_json(&home.path().join("summary.json"), &found).unwrap();
    let file = home.path().join("plan.json");
    let mut plan: Plan = read_json(&file).unwrap();
    for chart in &mut plan.description.charts {
        if let ChartSpec::Lines { curves, .. } = chart {
            curves.push("other sweep".into());
        }
    }
    write_json(&file, &plan).unwrap();
    browser.open(&page(home.path()), 1280, 900);
    let colours = browser.run(
        "[...[...document.querySelectorAll('figure')]
           .find((one) => one.querySelector('h3')?.textContent === 'A sweep').querySelectorAll('.chip')]
           .filter((chip) => !chip.textContent.includes('theory'))
           .map((chip) => chip.querySelector('line').getAttribute('stroke'))",
    );
    let colours = colours.as_array().unwrap();
    let different: BTreeSet<&str> = colours.iter().filter_map(Value::as_str).collect();
    assert_eq!((colours.len(), different.len()), (3, 3), "{colours:?}");
    assert_quiet(&browser);
}

#[test]
fn a_flame_graph_opens_at_the_programs_own_frames_and_a_button_shows_the_runtimes() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    let started = "_start;__libc_start_main;main;std::rt::lang_start_internal";
    let short = "std::sys::backtrace::__rust_begin_short_backtrace";
    let stacks = format!(
        "lab;{started};{short};lab::main;work 300\n\
         lab;{started};{short};lab::main;std::thread::sleep 100\n\
         tokio-runtime-w;clone3;start_thread;tokio::runtime::task::raw::poll;lab::serve 50\n\
         idle;clone3;start_thread 7\n"
    );
    let trial = home.path().join("trials/900-profiled");
    fs::write(trial.join("cpu.folded"), stacks).unwrap();
    fs::remove_file(trial.join("cpu.times")).unwrap();
    browser.open(&page(home.path()), 1280, 900);
    let frames = "[...document.querySelectorAll('#flame-0 g')].map((one) =>
         one.getAttribute('aria-level') + ' ' + one.getAttribute('aria-label').replace(/: [0-9].*/, ''))";
    let own = serde_json::json!([
        "1 all",
        "2 idle",
        "3 clone3",
        "4 start_thread",
        "2 lab",
        "3 lab::main",
        "4 std::thread::sleep",
        "4 work",
        "2 tokio-runtime-w",
        "3 lab::serve",
    ]);
    assert_eq!(browser.run(frames), own);
    let width = "Number(document.querySelector('#flame-0 [aria-label^=\"lab::serve:\"] rect').getAttribute('width'))";
    let folded = browser.run(width);
    browser.run(
        "[...document.querySelectorAll('#flame-0 button')].find((one) => one.textContent === 'runtime frames (8)').click()",
    );
    assert_eq!(browser.run("document.querySelectorAll('#flame-0 g').length"), 18);
    assert_eq!(browser.run(width), folded, "folding moves no box sideways");
    // From the program's first frame towards the root, past what is folded.
    browser.run(
        "[...document.querySelectorAll('#flame-0 button')].find((one) => one.textContent === 'runtime frames (8)').click()",
    );
    browser.run("document.querySelector('#flame-0 [aria-label^=\"lab::serve:\"]').focus()");
    browser.press("ArrowDown");
    let focused = browser.text("document.activeElement.getAttribute('aria-label')");
    assert!(focused.starts_with("tokio-runtime-w: "), "{focused}");
    assert_quiet(&browser);
}

#[test]
fn hot_and_cold_stacks_have_two_colours_and_what_holds_both_a_third() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(Shape { stacks: 0, ..USUAL });
    let stacks = "t;spin;[on a CPU] 20\nt;wait;[blocked] 30\nt;wait;[run queue] 9\n";
    fs::write(home.path().join("trials/001-calm/hot-cold.folded"), stacks).unwrap();
    browser.open(&page(home.path()), 1280, 900);
    let warmer = |frame: &str| {
        format!(
            "(() => {{ const fill = getComputedStyle(document.querySelector('#flame-0 [aria-label^=\"{frame}:\"] rect')).fill;
               const [red, , blue] = fill.match(/[0-9]+/g).map(Number); return Math.sign(red - blue); }})()"
        )
    };
    let shades = ["spin", "[on a CPU]", "wait", "[blocked]", "[run queue]", "t"];
    let found = shades.map(|frame| browser.run(&warmer(frame)).as_i64().unwrap());
    assert_eq!(found, [1, 1, -1, -1, -1, 0]);
    assert_quiet(&browser);
}

#[test]
fn a_closed_flame_graph_is_drawn_when_it_is_opened() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(Shape { stacks: 20, times: false, ..USUAL });
    browser.open(&page(home.path()), 1280, 900);
    let seen = "document.querySelector('#flame-0 rect').checkVisibility()";
    assert_eq!(browser.run(seen), false);
    browser.click("#flame-0 summary");
    browser.wait_until(seen);
    browser.wait_until("document.querySelector('#flame-0 rect').getAttribute('width') > 900");
    assert_quiet(&browser);
}

#[test]
fn a_page_calls_simulated_time_by_one_name_only() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    let file = home.path().join("plan.json");
    let plan = fs::read_to_string(&file).unwrap();
    fs::write(&file, plan.replacen("\"label\": \"busy\"", "\"label\": \"calm@simulated\"", 1))
        .unwrap();
    let file = home.path().join("summary.json");
    let summary = fs::read_to_string(&file).unwrap();
    let summary = summary.replacen("\"how\": \"live\"", "\"how\": \"simulated\"", 1);
    fs::write(&file, summary.replace("\"busy\": {", "\"calm@simulated\": {")).unwrap();
    browser.open(&page(home.path()), 1280, 900);
    let said = browser.text("document.body.innerText.replace('virtualisation', '')");
    assert!(said.contains("calm, simulated") && !said.contains("virtual"), "{said}");
    let chips = legend(&mut browser, "#charts figure[data-kind=percentiles]").to_string();
    assert!(chips.contains("calm, simulated"), "{chips}");
    assert_quiet(&browser);
}

#[test]
fn a_window_is_picked_in_the_heat_map() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let map = "#charts figure[data-kind=heat]";
    let window = format!("document.querySelector('{map} .window').textContent");
    let whole = browser.text(&window);
    assert!(whole.contains("0.2 to 2.2 s: 10,000 requests"), "without the warm-up: {whole}");
    assert!(whole.contains("profiles are taken in trials apart"), "{whole}");
    browser.drag(&format!("{map} .u-over"), 0.25, 0.75);
    let picked = browser.text(&window);
    assert!(picked != whole && picked.contains("p50 ≤"), "{picked}");
    // Ten whole intervals of 500 requests lie in one second.
    browser.run(&format!(
        "(() => {{ const [from, to] = document.querySelectorAll('{map} input'); from.value = 1; to.value = 2;
           to.dispatchEvent(new Event('input')); }})()"
    ));
    assert!(
        browser.text(&window).contains("1 to 2 s: 5,000 requests"),
        "{}",
        browser.text(&window)
    );
    browser.hover(&format!("{map} .u-over"), 0.5, 0.9);
    let read = browser.text(&format!("document.querySelector('{map} .readout').textContent"));
    assert!(read.contains("requests") && read.contains("the machine stalled"), "{read}");
    assert_quiet(&browser);
}

#[test]
fn a_window_of_a_profiled_trial_shows_what_ran_in_it() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let map = "#flames figure[data-kind=heat]";
    let window = format!("document.querySelector('{map} .window').textContent");
    let frames = format!("document.querySelectorAll('{map} [data-box]').length");
    let whole = browser.text(&window);
    assert!(whole.contains("600 of the trial's 600 samples"), "{whole}");
    assert_eq!(browser.run(&frames), 0, "the whole profile is drawn once, above");
    let pick = |from: f64, to: f64| {
        format!(
            "(() => {{ const [from, to] = document.querySelectorAll('{map} input[type=number]'); from.value = {from}; to.value = {to};
               to.dispatchEvent(new Event('input')); }})()"
        )
    };
    browser.run(&pick(1.0, 2.0));
    // Ten of the twenty intervals, each with ten stacks of 1 to 5 samples.
    let picked = browser.text(&window);
    assert!(picked.contains("300 of the trial's 600 samples"), "{picked}");
    let count = |frame: &str| {
        format!("document.querySelectorAll('{map} [aria-label^=\"{frame}\"]').length")
    };
    assert_eq!(browser.run(&count("all: 300 samples")), 1);
    assert_eq!(browser.run(&count("leaf_8: 4 samples, 1.33 %")), 1, "the first in the window");
    assert_eq!(browser.run(&count("leaf_7:")), 0, "the last before it");
    browser.drag(&format!("{map} .u-over"), 0.25, 0.5);
    let dragged = browser.text(&window);
    assert!(dragged != picked && dragged.contains("of the trial's 600 samples"), "{dragged}");
    browser.run(&pick(1.02, 1.08));
    let none = browser.text(&window);
    assert!(none.contains("0 of the trial's 600 samples fell in it: too few"), "{none}");
    assert_eq!(browser.run(&frames), 0);
    assert_quiet(&browser);
}

#[test]
fn a_second_of_the_samples_by_offset_is_picked_as_the_window() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let map = "#flames figure[data-kind=heat]";
    let cells = |which: &str| format!("document.querySelectorAll('{map} .offsets {which}').length");
    assert_eq!(browser.run(&cells("g")), 3, "0 to 3 s");
    assert_eq!(browser.run(&cells("rect")), 30, "ten intervals of each second");
    assert_eq!(browser.run(&cells("rect:not([fill=transparent])")), 20, "without the warm-up");
    browser.click(&format!("{map} .offsets g:nth-of-type(2)"));
    let picked = browser.text(&format!("document.querySelector('{map} .window').textContent"));
    assert!(picked.contains("1 to 2 s") && picked.contains("300 of the trial's 600"), "{picked}");
    assert_eq!(browser.run("document.querySelectorAll('#charts .offsets').length"), 0);
    assert_quiet(&browser);
}

#[test]
fn a_claim_leads_to_the_lines_that_show_it_and_they_lead_back() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let chart = "#chart-1";
    let on = format!(
        "[...document.querySelectorAll('{chart} .chip')].filter((chip) => chip.getAttribute('aria-pressed') === 'true')
           .map((chip) => chip.textContent)"
    );
    let all = serde_json::json!(["calm", "busy", "theory of calm"]);
    assert_eq!(browser.run(&on), all);
    browser.click("#claim-EX-1 .seen a");
    let target = |title: &str| {
        format!(
            "(document.querySelector(':target')?.querySelector('h3, b')?.textContent ?? '').startsWith('{title}')"
        )
    };
    browser.wait_until(&target("Response by percentile"));
    assert_eq!(browser.run(&on), serde_json::json!(["calm", "theory of calm"]));
    browser.click(&format!("{chart} .shows a"));
    browser.wait_until(&target("EX-1"));
    browser.click("#claim-EX-2 .seen a");
    browser.wait_until(&target("calm, cpu: "));
    assert_quiet(&browser);
}

#[test]
fn a_theory_curve_is_drawn_beside_its_own_series_only() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    let chips = "[...document.querySelectorAll('figure[data-kind=percentiles], figure[data-kind=ecdf]')]
           .map((figure) => [figure.querySelector('h3').textContent,
             [...figure.querySelectorAll('.chip')].filter((chip) => chip.textContent.startsWith('theory')).length])";
    let expected = serde_json::json!([
        ["Response, cumulative", 1],
        ["Response by percentile", 1],
        ["Service by percentile", 0],
    ]);
    assert_eq!(browser.run(chips), expected);
    browser.run("document.querySelector('figure[data-kind=percentiles] .plot').focus()");
    browser.press("Home");
    let readout = "document.querySelector('figure[data-kind=percentiles] .readout').textContent";
    for _ in 0..100 {
        if browser.text(readout).starts_with("p90:") {
            break;
        }
        browser.press("ArrowRight");
    }
    assert!(browser.text(readout).starts_with("p90:"), "{}", browser.text(readout));
    let theory = browser.text(
        "[...document.querySelectorAll('figure[data-kind=percentiles] .chip')].find((chip) => chip.textContent.startsWith('theory'))
           .querySelector('output').textContent",
    );
    assert_eq!(theory, "10 ms", "1 ms over what is left of 1");
    assert_quiet(&browser);
}

#[test]
fn stacks_rows_trails_and_error_bars_are_read_where_the_pointer_is() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    browser.open(&page(home.path()), 1280, 900);
    let chips = |kind: &str| {
        format!(
            "[...document.querySelectorAll('figure[data-kind={kind}] .chip')].map((chip) => chip.textContent).join('; ')"
        )
    };
    let readout = |kind: &str| {
        format!("document.querySelector('figure[data-kind={kind}] .readout').textContent")
    };
    browser.hover("figure[data-kind=stacked] .u-over", 0.9, 0.5);
    let read = browser.text(&chips("stacked"));
    assert_eq!(read, "at the disk3.5 requests; at the CPU2 requests", "each part, not the sum");
    let says = browser.text(&readout("stacked"));
    assert!(says.contains("mean of 2 trials"), "{says}");
    let canvas = "document.querySelector('figure[data-kind=stacked] canvas').toDataURL()";
    let both = browser.text(canvas);
    browser.click("figure[data-kind=stacked] .chip");
    assert!(browser.text(canvas) != both, "what is left falls to the ground");

    // The third of six rows, in the third of twenty columns.
    browser.hover("figure[data-kind=rows] .u-over", 2.5 / 20.0, 2.5 / 6.0);
    let cell = browser.text(&readout("rows"));
    assert_eq!(cell, "server 2, 0.2 to 0.3 s: 9 requests");
    assert_eq!(browser.text(&chips("rows")), "0 requests; 4.5 requests; 9 requests");

    browser.run("document.querySelector('figure[data-kind=trails] .plot').focus()");
    (0..8).for_each(|_| browser.press("ArrowRight"));
    let read = browser.text(&chips("trails"));
    assert!(read.starts_with("calm") && read.contains("% of its peak"), "{read}");
    let sweep = "[...document.querySelectorAll('figure[data-kind=lines]')].find((one) => one.querySelector('h3').textContent === 'A sweep')";
    browser.run(&format!("{sweep}.querySelector('.plot').focus()"));
    browser.press("Home");
    let read = browser.text(&format!("{sweep}.querySelector('.chip').textContent"));
    assert!(read.ends_with("1.1 ms (880 µs to 1.43 ms)"), "{read}");
    assert_quiet(&browser);
}

#[test]
fn flame_graphs_are_searched_zoomed_and_walked() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    browser.open(&page(home.path()), 1280, 900);
    browser.run("document.querySelector('#flame-0 input').focus()");
    browser.write("family_7<");
    let matched = browser.text("document.querySelector('#flame-0 .controls output').textContent");
    // 200 stacks of 1 to 5 samples, 600 in all; stack 7 has 3.
    assert_eq!(matched, "matched: 0.5 %");
    assert!(
        browser.run("document.querySelectorAll('#flame-0 rect[fill=\"#e31ce3\"]').length").as_u64()
            > Some(0)
    );
    let boxes = "document.querySelectorAll('#flame-0 g').length";
    let all = browser.run(boxes).as_u64().unwrap();
    browser.run("document.querySelector('#flame-0 [aria-label^=\"group_3:\"]').focus()");
    browser.press("Enter");
    let zoomed = browser.run(boxes).as_u64().unwrap();
    assert!(zoomed < all, "{zoomed} of {all}");
    let width = "Number(document.querySelector('#flame-0 [aria-label^=\"group_3:\"] rect').getAttribute('width'))";
    assert!(browser.run(width).as_f64() > Some(900.0), "the frame fills the graph");
    browser.press("ArrowUp");
    let focused = browser.text("document.activeElement.getAttribute('aria-label')");
    assert!(focused.starts_with("core::ops::function::family_"), "{focused}");
    browser.press("Escape");
    assert_eq!(browser.run(boxes).as_u64(), Some(all));
    assert_quiet(&browser);
}

#[test]
fn hostile_strings_stay_text_in_the_page() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(Shape { hostile: true, stacks: 40, ..USUAL });
    tell(home.path(), None, Some(HOSTILE));
    draw_more(home.path(), HOSTILE);
    browser.open(&page(home.path()), 1280, 900);
    let title = browser.text("document.title");
    assert!(title != "owned" && title.contains("<img"), "{title}");
    assert_eq!(
        browser.text("document.querySelector('h1').textContent"),
        format!("Does it work?{HOSTILE}")
    );
    assert_eq!(browser.run("document.images.length + document.scripts.length"), 2);
    assert_eq!(browser.run("document.querySelectorAll('a[href^=\"javascript\"]').length"), 0);
    let frame =
        browser.run("document.querySelectorAll('#flame-0 g[aria-label*=\"<img src=x\"]').length");
    assert_eq!(frame, 1, "the frame has its whole name");
    browser.run("document.querySelector('#flame-0 g[aria-label*=\"<img src=x\"]').focus()");
    let read = browser.text("document.querySelector('#flame-0 .readout').textContent");
    assert!(read.contains("<img src=x"), "{read}");
    assert_eq!(browser.run("document.images.length"), 0);
    browser.hover("figure[data-kind=percentiles] .u-over", 0.5, 0.5);
    assert_quiet(&browser);
}

/// What escaping keeps out would still have nowhere to go.
#[test]
fn the_policy_lets_nothing_out_and_no_other_script_run() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(Shape { stacks: 0, ..USUAL });
    browser.open(&page(home.path()), 1280, 900);
    assert_quiet(&browser);
    browser.run(
        "for (const [name, what] of [['script', { textContent: 'window.owned = 1' }], ['img', { src: 'https://127.0.0.1:9/x.png' }],
           ['link', { rel: 'stylesheet', href: 'https://127.0.0.1:9/x.css' }], ['base', { href: 'https://127.0.0.1:9/' }]])
           document.head.append(Object.assign(document.createElement(name), what)); 1",
    );
    assert_eq!(browser.text("document.baseURI"), browser.text("location.href"));
    assert_eq!(browser.run("window.owned ?? 0"), 0);
    let fetched = "fetch('https://127.0.0.1:9/').then(() => 'sent', () => 'refused')";
    assert_eq!(browser.text(fetched), "refused");
    let said = browser.complaints.concat();
    for directive in [
        "script-src 'sha256-",
        "style-src 'sha256-",
        "base-uri 'none'",
        "'img-src'",
        "'connect-src'",
    ] {
        assert!(said.contains(directive), "{directive} in {said}");
    }
}

/// A hundred trials of a minute, and 20,000 stacks.
const LARGE: Shape = Shape {
    trials: 100,
    intervals: 600,
    requests: 75,
    stacks: 20_000,
    times: true,
    only_response: true,
    hostile: false,
};
const FIVE_MB: u64 = 5_000_000;

#[test]
fn a_large_runs_page_is_bounded_fast_and_says_what_was_left_out() {
    let (home, _) = run(LARGE);
    let page = page(home.path());
    let bytes = fs::metadata(&page).unwrap().len();
    eprintln!("page of 100 trials and 20,000 stacks: {bytes} bytes");
    assert!(bytes <= FIVE_MB, "{bytes}");
    assert!(fs::read_to_string(&page).unwrap().contains("Left out for size: the heat maps of"));
    let Some(mut browser) = start() else { return };
    let took = browser.open(&page, 1280, 900);
    eprintln!("ready after {} ms", took.as_millis());
    assert!(took < INTERACTIVE, "{took:?}");
    assert_quiet(&browser);
}

#[test]
fn broken_runs_open_without_errors() {
    let Some(mut browser) = start() else { return };
    let one = Shape { trials: 1, intervals: 1, requests: 1, stacks: 1, ..USUAL };
    let (home, _) = run(one);
    browser.open(&page(home.path()), 1280, 900);
    fs::remove_dir_all(home.path().join("trials")).unwrap();
    browser.open(&page(home.path()), 1280, 900);
    assert_quiet(&browser);
}

#[test]
fn a_phone_scrolls_only_downwards_and_dark_mode_and_print_draw_anew() {
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    observe(home.path());
    draw_more(home.path(), "");
    tell(home.path(), Some(shown_by("A sweep", &["calm"])), Some("It took 7 ms."));
    browser.open(&page(home.path()), 375, 800);
    assert_eq!(browser.run("document.documentElement.scrollWidth"), 375);
    let ground = "getComputedStyle(document.body).backgroundColor";
    let canvas = "document.querySelector('#chart-0 canvas').toDataURL()";
    let (light, drawn) = (browser.text(ground), browser.text(canvas));
    let dark =
        serde_json::json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.call("Emulation.setEmulatedMedia", dark);
    browser.settle();
    let shown = browser.text(canvas);
    assert!(browser.text(ground) != light && shown != drawn);
    browser.run(&format!(
        "addEventListener('beforeprint', () => {{ window.printed = {canvas}; }}); 1"
    ));
    browser.call("Page.printToPDF", serde_json::json!({}));
    assert!(browser.text("window.printed") == drawn, "paper takes the light colours");
    assert!(browser.text(canvas) == shown, "and the screen its own again");
    assert_quiet(&browser);
}

/// axe-core is not ours to ship: `AXE_CORE` names its `axe.min.js`, or `.ci/run` has fetched it.
fn axe_core() -> Option<String> {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/axe-core/package/axe.min.js");
    let file = std::env::var_os("AXE_CORE").map_or_else(|| fetched.into(), PathBuf::from);
    let script = fs::read_to_string(&file).ok();
    if script.is_none() {
        let file = file.display();
        skip(Need::Axe, format!("no {file} (`npm pack axe-core`), nor AXE_CORE"));
    }
    script
}

/// What axe finds that is serious or critical in the page that is open.
fn faults(browser: &mut Browser, axe: &str) -> Value {
    browser.run(&format!("{axe}; 1"));
    browser.run(
        "axe.run().then((found) => found.violations.filter((one) => /serious|critical/.test(one.impact))
           .flatMap((one) => one.nodes.map((node) => one.id + ': ' + node.target + ' ' + node.failureSummary)).slice(0, 5))",
    )
}

#[test]
fn axe_finds_no_serious_fault() {
    let Some(axe) = axe_core() else { return };
    let Some(mut browser) = start() else { return };
    let (home, _) = run(USUAL);
    draw_more(home.path(), "");
    tell(home.path(), Some(shown_by("A sweep", &["calm"])), Some("It took 7 ms."));
    let (compared, _) = crate::comparisons::comparison();
    let runs = tempfile::tempdir().unwrap();
    let inner = runs.path().join("example/one");
    fs::create_dir_all(&inner).unwrap();
    crate::fixture::write(&inner, USUAL);
    let pages = [
        page(home.path()),
        lab_report::write_comparison(compared.path()).unwrap(),
        lab_report::write_index(runs.path()).unwrap(),
    ];
    for scheme in ["light", "dark"] {
        let media = serde_json::json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", media);
        for file in &pages {
            browser.open(file, 1280, 900);
            let found = faults(&mut browser, &axe);
            assert_eq!(found, serde_json::json!([]), "{scheme}: {}", file.display());
        }
    }
    // What axe must find, if it looks at all.
    browser.run("document.body.append(document.createElement('img'))");
    let found = faults(&mut browser, &axe).to_string();
    assert!(found.contains("image-alt"), "{found}");
}
