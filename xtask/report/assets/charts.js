/* Line charts: percentile plots, cumulative shares, curves, gauges, stacks and trails, all on uPlot. */

/** More lines than this at once are hard to tell apart. */
const LINES_AT_FIRST = 4;

/**
 * A chart with its controls.
 * `groups()` gives what is drawn: [{ name, of, color, dash, width, lines: [{ name, xs, ys, dash, bars }] }],
 * anew each time the controls change it, `of` being the label of its trials and `bars` the interval
 * of each y; `x` and `y` say { label, format, tick, log, splits }; `claims` are those that the chart shows,
 * and `first` the variants whose lines are on at first. `arrange(lines)` moves the lines that are on
 * to where they are drawn, as in a stack; what is read out is still their own `ys`.
 */
function lineChart(place, { title, groups, x, y, toggles, say, claims, first, arrange }) {
  const hidden = new Set();
  /** The lines that have a chip; the others stand behind "more". */
  const listed = new Set();
  const controls = element("div", { class: "controls" });
  const folded = element("details", { class: "options" }, element("summary", {}, "Options"), controls);
  const plot = element("div", { class: "plot", tabindex: "0", role: "group",
    "aria-label": title + ": arrow keys move the reading line" });
  const readout = element("output", { class: "readout" }, "Hover, or focus and use the arrow keys, to read values; drag to zoom.");
  const chips = element("div", { class: "controls", role: "group", "aria-label": "Lines of " + title });
  place.append(plot, chips, readout, folded);
  let chart = null;
  let drawn = [];

  function logButton(axis, words) {
    if (axis.log === undefined) return;
    controls.append(button(words, axis.log, (self) => {
      axis.log = !axis.log;
      self.setAttribute("aria-pressed", axis.log);
      redraw();
    }));
  }
  for (const toggle of toggles || []) {
    controls.append(button(toggle.words, toggle.on, (self) => {
      toggle.on = !toggle.on;
      self.setAttribute("aria-pressed", toggle.on);
      rebuild();
    }));
  }
  logButton(x, "log x");
  logButton(y, "log y");
  controls.append(button("all lines", null, () => { hidden.clear(); rebuild(); }));
  controls.append(button("no line", null, () => { for (const group of groups()) hidden.add(group.name); rebuild(); }));
  controls.append(button("reset zoom", null, () => redraw()));

  for (const claim of claims || []) {
    if (groups().some((group) => !concerns(claim, group))) controls.append(button("lines of " + claim.id, null, () => only(claim)));
  }
  place.only = (id) => { const claim = (claims || []).find((one) => one.id === id); if (claim) only(claim); };

  function concerns(claim, group) {
    return claim.variants.includes(group.of.replace(/@simulated$/, ""));
  }

  /** Turns on the lines that a claim is about, and no others. */
  function only(claim) {
    const all = groups();
    if (!all.some((group) => concerns(claim, group))) {
      readout.textContent = `This run has no line of ${claim.id}: ${claim.variants.join(", ")}.`;
      return;
    }
    keep(all, (group) => concerns(claim, group));
    rebuild();
    readout.textContent = `The lines of ${claim.id} are on: ${claim.variants.join(", ")}. Click a name to add its line.`;
  }

  function keep(all, wanted) {
    hidden.clear();
    for (const group of all) if (!wanted(group)) hidden.add(group.name);
  }

  /** At first a few lines are on: those of the variants that come first, measured before theory before simulated. */
  function begin() {
    const all = groups();
    const order = [...new Set(first || [])];
    const variant = (group) => group.of.replace(/@simulated$/, "");
    const kind = (group) => (group.theory ? 1 : variant(group) === group.of ? 0 : 2);
    const place = (group) => [kind(group), order.indexOf(variant(group)), all.indexOf(group)];
    const before = (a, b) => { const [one, other] = [place(a), place(b)]; const at = one.findIndex((_, i) => one[i] !== other[i]); return at < 0 ? 0 : one[at] - other[at]; };
    const named = all.filter((group) => order.includes(variant(group)));
    const few = arrange || all.length <= LINES_AT_FIRST ? all : (named.length ? named : all).sort(before).slice(0, LINES_AT_FIRST);
    keep(groups(), (group) => few.some((one) => one.name === group.name));
    rebuild();
  }

  function rebuild() {
    chips.replaceChildren();
    drawn = groups();
    for (const group of drawn) if (!hidden.has(group.name)) listed.add(group.name);
    for (const group of drawn) {
      group.value = element("output", {});
      if (!listed.has(group.name)) continue;
      const swatch = element("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" },
        element("line", { x1: 0, x2: 28, y1: 5, y2: 5, stroke: `var(${group.color})`,
          "stroke-width": arrange ? 10 : group.width + 1, "stroke-dasharray": group.dash.join(" ") }));
      const chip = button("", !hidden.has(group.name), (self) => {
        if (!hidden.delete(group.name)) hidden.add(group.name);
        self.setAttribute("aria-pressed", !hidden.has(group.name));
        redraw();
      });
      chip.className = "chip";
      chip.append(swatch, group.name, group.value);
      chips.append(chip);
    }
    const more = drawn.filter((group) => !listed.has(group.name));
    if (more.length) chips.append(button(more.length + " more", null, () => {
      for (const group of more) listed.add(group.name);
      rebuild();
      const next = [...chips.children].find((chip) => chip.textContent.startsWith(more[0].name));
      if (next) next.focus();
    }));
    redraw();
  }

  function redraw() {
    const shown = drawn.filter((group) => !hidden.has(group.name));
    const on = shown.flatMap((group) => group.lines.map((line) => ({ group, ...line })));
    const lines = (arrange ? arrange(on) : on).flatMap((line) => [line, ...ends(line)]);
    const usable = (axis, value) => !axis.log || value > 0;
    const tables = lines.map((line) => {
      const keep = line.xs.map((_, i) => i).filter((i) => usable(x, line.xs[i]) && (line.ys[i] === null || usable(y, line.ys[i])));
      return [keep.map((i) => line.xs[i]), keep.map((i) => line.ys[i])];
    });
    const data = tables.length ? uPlot.join(tables) : [[0, 1]];
    if (chart) chart.destroy();
    chart = new uPlot(options(lines), data, plot);
  }

  /** The ends of a line's error bars: not drawn, but the axis holds them. */
  function ends(line) {
    if (!line.bars) return [];
    return [0, 1].map((end) => ({ ...line, bars: undefined, unseen: true, ys: line.bars.map((bar) => bar[end]) }));
  }

  /** The error bars of the lines that are on. */
  function errorBars(u, lines) {
    const context = u.ctx;
    const cap = 4 * devicePixelRatio;
    const { top, height } = u.bbox;
    const at = (value) => (y.log && value <= 0 ? top + height : u.valToPos(value, "y", true));
    context.save();
    context.lineWidth = 1.5 * devicePixelRatio;
    context.setLineDash([]);
    for (const line of lines.filter((line) => line.bars)) {
      context.strokeStyle = paint(line.group.color);
      context.beginPath();
      line.bars.forEach(([low, high], i) => {
        if (low === high || (x.log && line.xs[i] <= 0)) return;
        const [left, bottom, above] = [u.valToPos(line.xs[i], "x", true), at(low), at(high)];
        context.moveTo(left, bottom);
        context.lineTo(left, above);
        for (const end of [bottom, above]) { context.moveTo(left - cap, end); context.lineTo(left + cap, end); }
      });
      context.stroke();
    }
    context.restore();
  }

  function options(lines) {
    const axis = (side) => ({
      label: side.label, labelSize: 22, labelFont: "12px system-ui", font: "12px system-ui",
      stroke: paint("--text"), grid: { stroke: paint("--rule"), width: 1 }, ticks: { stroke: paint("--rule") },
      values: (_, splits) => (side.names ? side.names() : splits.map((value) => (value === null ? "" : (side.tick || side.format)(value)))),
      ...(side.splits ? { splits: side.splits, filter: (_, splits) => splits } : {}),
    });
    return {
      width: plot.clientWidth || 600,
      height: Math.max(240, Math.min(360, window.innerHeight * 0.5)),
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      scales: {
        x: { time: false, distr: x.log ? 3 : 1, ...(x.range ? { range: x.range } : {}) },
        y: { distr: y.log ? 3 : 1, ...(y.range ? { range: y.range } : {}) },
      },
      axes: [axis(x), { ...axis(y), size: y.names ? widest(y.names()) : 68 }],
      series: [{}, ...lines.map((line) => ({
        stroke: paint(line.group.color), width: line.faint || line.thin ? 1 : line.group.width,
        dash: line.dash || line.group.dash, spanGaps: !line.gaps,
        points: { show: !line.unseen && (line.points === true || line.xs.length === 1), size: 6 },
        ...(line.unseen ? { stroke: "transparent", width: 0 } : {}),
        ...(line.fill ? { fill: line.fill, fillTo: line.fillTo } : {}), ...(line.paths ? { paths: line.paths } : {}),
      }))],
      hooks: { setCursor: [read], draw: [(u) => errorBars(u, lines)] },
    };
  }

  function read(u) {
    const { left, idx } = u.cursor;
    if (idx === null || idx === undefined || left < 0) return;
    const at = u.data[0][idx];
    readout.textContent = say(at);
    for (const group of drawn) {
      const values = group.lines.filter((line) => !line.faint || at > line.xs[0])
        .filter((line) => line.xs.length && !(line.untilFaint !== undefined && at > line.untilFaint))
        .map((line) => [line, valueAt(line, at)]).filter(([, value]) => value !== null);
      group.value.textContent = values
        .map(([line, value]) => (line.name ? line.name + " " : "") + (at >= line.boundFrom ? "≥ " + y.format(value) : y.format(value) + (line.faint ? " (few samples)" : "")) + reach(line, at)).join(" · ");
    }
  }

  /** The error bar of the point at or before `at`, in words. */
  function reach(line, at) {
    const bar = line.bars && valueAt({ xs: line.xs, ys: line.bars }, at);
    return bar && bar[0] !== bar[1] ? ` (${y.format(bar[0])} to ${y.format(bar[1])})` : "";
  }

  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !chart) return;
    event.preventDefault();
    const xs = chart.data[0];
    const from = chart.cursor.idx ?? -1;
    const to = Math.max(0, Math.min(xs.length - 1, from + step));
    chart.setCursor({ left: chart.valToPos(xs[to], "x"), top: 10 });
  });
  let width = 0;
  new ResizeObserver(() => {
    if (plot.clientWidth === width || !chart) return;
    width = plot.clientWidth;
    chart.setSize({ width, height: chart.height });
  }).observe(plot);
  redraws.push(redraw);
  begin();
}

/** Room for names beside an axis. */
function widest(names) {
  return Math.min(200, 24 + 6.5 * Math.max(0, ...names.map((name) => name.length)));
}

/** The last value at or before `at`; nothing outside of the line. */
function valueAt(line, at) {
  const { xs, ys } = line;
  if (at < xs[0] || at > xs[xs.length - 1]) return null;
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (xs[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return ys[low];
}

/** The label of trials as people read it. */
const spoken = (label) => label.replace(/@simulated$/, ", simulated");

/** What series a distribution chart can show, the lab's own choice first and on. */
function seriesToggles(data, first) {
  const names = Object.keys(data.series).filter((name) => name !== first && name !== "hiccup");
  const order = [first, ...names.filter((name) => name === "service"), ...names.filter((name) => name !== "service")];
  return order.map((name) => ({ words: name, on: name === first }));
}

/** The groups of a distribution chart: one for each label, one line for each series that is on. */
function distributionGroups(data, toggles, lines) {
  const on = toggles.filter((toggle) => toggle.on).map((toggle) => toggle.words);
  return data.labels.map((label) => ({
    name: spoken(label.name), of: label.name, ...colorOf(label), width: label.simulated ? 1 : 2,
    lines: on.flatMap((series, index) => {
      const found = (data.series[series] || {})[label.name];
      const named = on.length > 1 ? series : "";
      return found ? lines(found, named, index ? [3, 3 + index] : undefined) : [];
    }),
  })).filter((group) => group.lines.length);
}

function percentileChart(place, chart, data) {
  const toggles = seriesToggles(data, chart.series);
  const lines = (found, name, dash) => {
    const xs = found.ns.map((_, i) => i / data.steps);
    const last = Math.log10(found.count);
    const sure = { name, xs: xs.slice(0, found.sure), ys: found.ns.slice(0, found.sure), dash };
    const from = Math.max(0, found.sure - 1);
    const tail = { name, xs: xs.slice(from), ys: found.ns.slice(from), dash: [1, 4], faint: true,
      boundFrom: found.bound_from === undefined ? Infinity : found.bound_from / data.steps };
    if (last > tail.xs[tail.xs.length - 1]) { tail.xs.push(last); tail.ys.push(found.max_ns); }
    else tail.ys[tail.ys.length - 1] = found.max_ns;
    sure.untilFaint = tail.xs[0];
    return sure.xs.length ? [sure, tail] : [tail];
  };
  lineChart(place, {
    title: chart.title, toggles,
    groups: () => withTheory(chart, data, distributionGroups(data, toggles, lines), ([p, ns]) => [-Math.log10(1 - p), ns]),
    claims: chart.claims, first: chart.first,
    x: { label: "percentile, scale 1/(1−p)", format: percentile,
      splits: (u, _, low, high) => [0, ...(u.width > 500 ? [Math.log10(2)] : []), 1, 2, 3, 4, 5, 6, 7, 8]
        .filter((at) => at >= low && at <= high) },
    y: { label: "latency", format: nanoseconds, log: true },
    say: (at) => percentile(at) + ": dotted parts have fewer than ten samples beyond them, or are lower bounds (≥), and end at the maximum",
  });
}

/** The theory of a chart's series, `point` by point, as far as the measured lines reach. */
function withTheory(chart, data, measured, point) {
  const ends = measured.flatMap((group) => group.lines.map((line) => line.xs[line.xs.length - 1]));
  const end = Math.max(...ends, -Infinity);
  return [...measured, ...chart.theory.map((theory) => {
    const points = theory.points.map(point).filter(([x]) => x <= end);
    const label = data.labels.find((label) => label.name === theory.label);
    return { name: "theory of " + spoken(theory.label), of: theory.label, theory: true, ...colorOf(label), width: 1, dash: [6, 3],
      lines: [{ name: "", xs: points.map((p) => p[0]), ys: points.map((p) => p[1]) }] };
  }).filter((group) => group.lines[0].xs.length)];
}

function ecdfChart(place, chart, data) {
  const toggles = seriesToggles(data, chart.series);
  const lines = (found, name, dash) => {
    const share = new Map();
    // Where requests were never answered, nobody knows the shares: the line ends there.
    const known = found.bound_from === undefined ? found.ns : found.ns.slice(0, found.bound_from);
    known.forEach((bucket, i) => {
      // The maximum is exact, and a bucket reads as its upper end.
      const ns = Math.min(bucket, found.max_ns);
      const at = 1 - 10 ** (-i / data.steps);
      // Many requests of one latency are a step: without its foot, it would be drawn as a slope.
      if (share.has(ns) && !share.has(ns * (1 - 1e-6))) share.set(ns * (1 - 1e-6), share.get(ns));
      share.set(ns, at);
    });
    if (known === found.ns) share.set(found.max_ns, 1);
    const points = [...share].sort((a, b) => a[0] - b[0]);
    return [{ name, xs: points.map((p) => p[0]), ys: points.map((p) => p[1]), dash }];
  };
  lineChart(place, {
    title: chart.title, toggles,
    groups: () => withTheory(chart, data, distributionGroups(data, toggles, lines), ([p, ns]) => [ns, p]),
    claims: chart.claims, first: chart.first,
    x: { label: "latency", format: nanoseconds, log: true },
    y: { label: "share of requests at most", format: (share) => threeDigits(100 * share) + " %", range: [0, 1] },
    say: (at) => "At most " + nanoseconds(at),
  });
}

/** What a curve's name says of its axes: `slow roots by correlation` is the one by the other. */
function axisNames(lines) {
  const parts = lines.map((line) => line.name.split(" by "));
  const same = (pick) => (parts.every((one) => pick(one) === pick(parts[0])) ? pick(parts[0]) : "");
  return { x: same((one) => one.slice(1).join(" by ")), y: same((one) => one[0]) };
}

/** What an axis shows and in which unit; where the numbers carry their own, without. */
function axisLabel(what, unit) {
  const shown = unit === "ns" || unit === "" || unit === what ? "" : unit;
  return [what || (unit === "ns" ? "latency" : ""), shown].filter(Boolean).join(", ");
}

/** Values beside an axis whose label has the unit. */
function tickOf(unit) {
  return (value) => quantity(value, unit === "ns" ? "ns" : "");
}

/** The lines of a chart by their names in its legend: those of several trials share one. */
function byName(lines) {
  const groups = new Map();
  for (const line of lines.filter((line) => line.points.length)) {
    const name = [spoken(line.label), line.name, line.theory ? "theory" : ""].filter(Boolean).join(" · ");
    groups.set(name, [...(groups.get(name) || []), line]);
  }
  return groups;
}

/** Values further apart than this are drawn on a logarithmic axis, if the points are placed by factors. */
const FAR_APART = 30;

function curvesChart(place, chart, data) {
  const positive = (pick) => chart.lines.every((line) => line.points.every((point) => pick(point) > 0));
  // Points that are placed by factors, 1, 2, 4 and on, are drawn at equal distances.
  const factors = chart.lines.length > 0 && chart.lines.every((line) => line.points.length > 5
    && line.points.every(([x], i, all) => x > 0 && (i === 0 || x >= 1.5 * all[i - 1][0])));
  const ys = chart.lines.flatMap((line) => line.points.map((point) => point[1]));
  const apart = factors && Math.max(...ys) > FAR_APART * Math.min(...ys);
  const names = axisNames(chart.lines);
  const overTime = names.x === "" && chart.x_unit === "s";
  // A variant's colour tells its line from those of other variants, if it has but one.
  const measured = [...byName(chart.lines).values()].map(([line]) => line).filter((line) => !line.theory);
  const variants = new Set(measured.map((line) => line.label)).size;
  const byVariant = variants > 1 && variants === measured.length;
  lineChart(place, {
    title: chart.title,
    groups: () => [...byName(chart.lines)].map(([name, trials], index) => {
      const { label: of, theory } = trials[0];
      const label = data.labels.find((label) => label.name === of);
      const own = byVariant ? colorOf(label) : { color: "--c" + (index % COLORS), dash: [] };
      return { name, of, theory, ...own, width: theory ? 1 : 2, dash: theory ? [6, 4] : own.dash,
        lines: trials.map((line) => ({ name: "", xs: line.points.map((p) => p[0]), ys: line.points.map((p) => p[1]), bars: line.intervals,
          thin: trials.length > 1, points: !theory && line.points.length < 60 })) };
    }),
    claims: chart.claims, first: chart.first,
    x: { label: overTime ? "seconds since the trial began" : axisLabel(names.x, chart.x_unit),
      format: tickOf(chart.x_unit), ...(positive((p) => p[0]) ? { log: factors } : {}) },
    y: { label: axisLabel(names.y, chart.y_unit), format: (value) => quantity(value, chart.y_unit), tick: tickOf(chart.y_unit), ...(positive((p) => p[1]) ? { log: apart } : {}) },
    say: (at) => quantity(at, chart.x_unit),
  });
}

function shiftChart(place, chart) {
  const looks = {
    median: { color: "--c0", width: 2, dash: [] },
    "all trials pooled": { color: "--c1", width: 1, dash: [9, 4] },
  };
  lineChart(place, {
    title: chart.title,
    groups: () => chart.lines.map((line) => ({
      name: line.name, of: "", ...(looks[line.name] || { color: "--c0", width: 1, dash: [3, 3] }),
      lines: [{ name: "", xs: line.points.map((p) => p[0]), ys: line.points.map((p) => p[1]) }],
    })),
    x: { label: "percentile, scale 1/(1−p)", format: percentile,
      splits: (u, _, low, high) => [...(u.width > 500 ? [-Math.log10(0.9)] : []), Math.log10(2), 1, 2, 3].filter((at) => at >= low && at <= high) },
    y: { label: "new against base", format: (ratio) => (ratio > 0 ? "+" : "") + threeDigits(100 * ratio) + " %" },
    say: percentile,
  });
}

/** Parts on top of each other, each the mean of its trials in a column. */
function stackedChart(place, chart) {
  const steps = uPlot.paths.stepped({ align: 1 });
  lineChart(place, {
    title: chart.title,
    groups: () => chart.parts.map(([name, ys], index) => ({ name, of: chart.label, color: "--c" + (index % COLORS), dash: [], width: 1,
      lines: [{ name: "", xs: chart.xs, ys }] })),
    // The highest sum is drawn first: each that follows covers what is not its own.
    arrange: (lines) => lines.map((line, at) => ({ ...line, paths: steps, fill: between(line.group.color, "--ground")(0.25), fillTo: 0,
      ys: line.ys.map((_, i) => lines.slice(0, at + 1).reduce((sum, one) => sum + one.ys[i], 0)) })).reverse(),
    claims: chart.claims, first: chart.first,
    x: { label: "seconds since the trial began", format: threeDigits },
    y: { label: axisLabel("", chart.unit), format: (value) => quantity(value, chart.unit), tick: tickOf(chart.unit), range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] },
    say: (at) => `From ${threeDigits(at)} s on` + (chart.trials > 1 ? `, mean of ${chart.trials} trials` : "") + `, ${spoken(chart.label)}`,
  });
}

/** How far a trail reaches into the one above, in rows. */
const TRAIL_HEIGHT = 1.7;

/** Densities one above the other, over a logarithmic axis, cut where nothing was recorded. */
function trailsChart(place, chart, data) {
  const first = Math.min(...chart.trails.map((trail) => trail.first));
  const last = Math.max(...chart.trails.map((trail) => trail.first + trail.heights.length - 1));
  const xs = Array.from({ length: last - first + 1 }, (_, i) => 2 ** ((first + i) / data.bins_per_octave));
  const heights = (trail) => xs.map((_, i) => trail.heights[first + i - trail.first] ?? null);
  let rows = [];
  lineChart(place, {
    title: chart.title,
    groups: () => chart.trails.map((trail) => ({ name: spoken(trail.label), of: trail.label, width: 2,
      ...colorOf(data.labels.find((label) => label.name === trail.label)), dash: [],
      lines: [{ name: "", xs, ys: heights(trail) }] })),
    arrange: (lines) => {
      rows = lines.map((line) => line.group.name);
      return lines.map((line, at) => {
        const floor = lines.length - 1 - at;
        return { ...line, gaps: true, fill: between(line.group.color, "--ground")(0.7), fillTo: floor,
          ys: line.ys.map((height) => (height === null ? null : floor + TRAIL_HEIGHT * height)) };
      });
    },
    claims: chart.claims, first: chart.first,
    x: { label: "latency, logarithmic", format: nanoseconds, log: true },
    y: { label: "", format: (height) => threeDigits(100 * height) + " % of its peak", range: (_, __, high) => [-0.1, Math.max(1, high)],
      splits: () => rows.map((_, at) => rows.length - 1 - at), names: () => rows },
    say: (at) => "Around " + nanoseconds(at),
  });
}
