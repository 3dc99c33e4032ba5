/* Heat maps: latency over time, and the window that a reader picks in one, with what ran in it where
 * samples carry times. */

function heatChart(place, chart, data) {
  const controls = element("div", { class: "controls" });
  const plot = element("div", { class: "plot", role: "img", "aria-label": chart.title + ": shade by number of requests; the fields above pick a window" });
  const readout = element("output", { class: "readout" }, "Hover to read a cell; drag to pick a window.");
  const picked = element("div", { class: "window" });
  const ran = element("div", { class: "flame" });
  const offsets = element("div", {});
  const from = element("input", { type: "number", step: "0.1", min: "0" });
  const to = element("input", { type: "number", step: "0.1", min: "0" });
  let trial = chart.trials[0];
  let view = null;

  if (chart.trials.length > 1) {
    const select = element("select", {}, ...chart.trials.map((one, i) => element("option", { value: i }, one.trial)));
    select.addEventListener("change", () => { trial = chart.trials[select.value]; whole(); draw(); });
    controls.append(element("label", {}, "trial ", select));
  }
  controls.append(element("label", {}, "window from ", from, " s"), element("label", {}, "to ", to, " s"),
    button("whole trial", null, () => { whole(); draw(); }));
  place.append(controls, plot, readout, picked, ran);
  for (const input of [from, to]) input.addEventListener("input", () => { mark(); summarise(); });

  function whole() {
    from.value = trial.map.starts_s[trial.map.warmup] ?? 0;
    to.value = trial.map.end_s;
    summarise();
  }

  const top = (row) => 2 ** ((row + 1) / data.rows_per_octave);
  const bottom = (row) => 2 ** (row / data.rows_per_octave);
  const columnEnd = (map, i) => (i + 1 < map.starts_s.length ? map.starts_s[i + 1] : map.end_s);

  function each(visit) {
    trial.map.cells.forEach((column, i) => {
      for (let at = 0; at < column.length; at += 2) visit(i, column[at], column[at + 1]);
    });
  }

  function draw() {
    let rows = [Infinity, -Infinity];
    let most = 1;
    each((_, row, count) => { rows = [Math.min(rows[0], row), Math.max(rows[1], row)]; most = Math.max(most, count); });
    if (rows[0] > rows[1]) rows = [80, 160];
    tellLegend(bottom(rows[0]) * 0.9, most);
    const { starts_s, end_s } = trial.map;
    const axis = { font: "12px system-ui", labelFont: "12px system-ui", labelSize: 22, stroke: paint("--text"),
      grid: { show: false }, ticks: { stroke: paint("--rule") } };
    drawOffsets();
    if (view) view.destroy();
    view = new uPlot({
      width: plot.clientWidth || 600, height: 300, legend: { show: false },
      cursor: { points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: false, range: [starts_s[0], end_s] }, y: { distr: 3, range: [bottom(rows[0]) * 0.9, top(rows[1]) * 1.1] } },
      axes: [{ ...axis, label: "seconds since the trial began" }, { ...axis, label: "latency", size: 68, splits: (_, __, low, high) => roundValues(low, high), filter: (_, at) => at, values: (_, at) => at.map((ns) => (ns === null ? "" : nanoseconds(ns))) }],
      series: [{}, { show: true, stroke: "transparent", points: { show: false } }],
      hooks: { draw: [(u) => cells(u, most)], setCursor: [(u) => hover(u)], setSelect: [(u) => select(u)] },
    }, [[starts_s[0], end_s], [null, null]], plot);
    mark();
  }

  function cells(u, most) {
    const context = u.ctx;
    const { left, top: high, width, height } = u.bbox;
    context.save();
    context.beginPath();
    context.rect(left, high, width, height);
    context.clip();
    const map = trial.map;
    const x = (s) => u.valToPos(s, "x", true);
    const y = (ns) => u.valToPos(ns, "y", true);
    if (map.warmup > 0) {
      context.fillStyle = paint("--warm");
      const end = map.warmup < map.starts_s.length ? map.starts_s[map.warmup] : map.end_s;
      context.fillRect(x(map.starts_s[0]), high, x(end) - x(map.starts_s[0]), height);
    }
    const shades = ramp(most);
    each((i, row, count) => {
      context.fillStyle = shades(count);
      const right = Math.ceil(x(columnEnd(map, i)));
      const above = Math.floor(y(top(row)));
      const start = Math.floor(x(map.starts_s[i]));
      context.fillRect(start, above, Math.max(1, right - start), Math.max(1, Math.ceil(y(bottom(row))) - above));
    });
    steps(context, trial.hiccups, paint("--hiccup"), x, y);
    steps(context, trial.lateness, paint("--lateness"), x, y);
    if (map.warmup > 0) name(context, "warm-up", x(map.starts_s[0]), high);
    context.restore();
  }

  function name(context, words, left, high) {
    context.font = `${12 * devicePixelRatio}px system-ui`;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillStyle = paint("--ground");
    context.fillRect(left, high, context.measureText(words).width + 8, 17 * devicePixelRatio);
    context.fillStyle = paint("--text");
    context.fillText(words, left + 4, high + 3);
  }

  /** The longest stall of each column, as a line on the same axis. */
  function steps(context, marks, color, x, y) {
    if (!marks.some(([, ns]) => ns > 0)) return;
    context.strokeStyle = color;
    context.lineWidth = 1.5 * devicePixelRatio;
    context.beginPath();
    marks.forEach(([start, ns], i) => {
      const end = i + 1 < marks.length ? marks[i + 1][0] : trial.map.end_s;
      const at = y(Math.max(1, ns));
      context.lineTo(x(start), at);
      context.lineTo(x(end), at);
    });
    context.stroke();
  }

  function hover(u) {
    const { left, top: above } = u.cursor;
    if (left === undefined || left < 0) return;
    const seconds = u.posToVal(left, "x");
    const ns = u.posToVal(above, "y");
    const map = trial.map;
    let i = map.starts_s.findIndex((start) => start > seconds) - 1;
    if (i === -2) i = map.starts_s.length - 1;
    const row = Math.floor(Math.log2(ns) * data.rows_per_octave);
    const column = map.cells[i] || [];
    let count = 0;
    for (let at = 0; at < column.length; at += 2) if (column[at] === row) count = column[at + 1];
    const stall = (marks, words) => (marks[i] && marks[i][1] > 0 ? `; ${words} up to ${nanoseconds(marks[i][1])}` : "");
    readout.textContent = `${threeDigits(map.starts_s[i] || 0)} to ${threeDigits(columnEnd(map, i))} s, ${nanoseconds(bottom(row))} to ${nanoseconds(top(row))}: ${count} requests`
      + stall(trial.hiccups, "the machine stalled") + stall(trial.lateness, "the generator was late");
  }

  function select(u) {
    if (u.select.width < 2) return;
    const round = (seconds) => String(Math.round(seconds * 1000) / 1000);
    from.value = round(u.posToVal(u.select.left, "x"));
    to.value = round(u.posToVal(u.select.left + u.select.width, "x"));
    summarise();
  }

  const isWhole = () => Number(from.value) <= (trial.map.starts_s[trial.map.warmup] ?? 0) && Number(to.value) >= trial.map.end_s;

  function mark() {
    const left = view.valToPos(Number(from.value), "x");
    const width = isWhole() ? 0 : Math.max(0, view.valToPos(Number(to.value), "x") - left);
    view.setSelect({ left, top: 0, width, height: width ? view.over.clientHeight : 0 }, false);
  }

  /** Percentiles of the picked window, from the cells: within the 9 % of a row. */
  function summarise() {
    const [low, high] = [Number(from.value), Number(to.value)];
    const inside = (i) => trial.map.starts_s[i] >= low - 1e-9 && columnEnd(trial.map, i) <= high + 1e-9;
    const rows = new Map();
    let count = 0;
    each((i, row, n) => {
      if (!inside(i)) return;
      rows.set(row, (rows.get(row) || 0) + n);
      count += n;
    });
    const at = (share) => {
      let left = count * share;
      for (const [row, n] of [...rows].sort((a, b) => a[0] - b[0])) {
        left -= n;
        if (left <= 0) return nanoseconds(top(row));
      }
      return "–";
    };
    const beyond = (share) => count * (1 - share) + 1e-6 >= 10;
    const says = [0.5, 0.9, 0.99, 0.999].filter(beyond).map((share) => `p${100 * share} ≤ ${at(share)}`);
    picked.replaceChildren(
      element("b", {}, `${threeDigits(low)} to ${threeDigits(high)} s: ${count.toLocaleString("en-US")} requests in whole intervals`),
      says.length ? ": " + says.join(", ") + ". " : ". ",
      ...(trial.samples ? [] : noSamples()));
    if (trial.samples) drawSamples(inside, `${threeDigits(low)} to ${threeDigits(high)} s`);
  }

  /** Where what ran can be seen instead, from a trial that was only timed. */
  function noSamples() {
    const other = data.charts.findIndex((one) => one.profiled);
    const why = "No flame graph of this window: profiles are taken in trials apart from the timed ones. ";
    return [element("span", { class: "absent" }, why),
      other < 0 ? element("a", { href: "#flames" }, "Flame graphs") : element("a", { href: "#chart-" + other }, "Pick a window of a profiled trial")];
  }

  /** The flame graph of the columns that are `inside`, in the boxes of the whole profile's. */
  function drawSamples(inside, span) {
    const flame = data.flames[trial.samples.flame];
    const counts = new Array(flame.boxes.length / 3).fill(0);
    let whole = trial.samples.outside;
    trial.samples.columns.forEach((column, i) => {
      for (let at = 0; at < column.length; at += 2) {
        whole += column[at + 1];
        if (inside(i)) counts[column[at]] += column[at + 1];
      }
    });
    // Parents stand before their children: from the end, each box is whole when it is added up.
    const open = [];
    const parents = counts.map((_, i) => { const depth = flame.boxes[3 * i]; open[depth] = i; return depth ? open[depth - 1] : -1; });
    for (let i = counts.length - 1; i > 0; i--) counts[parents[i]] += counts[i];
    const rough = counts[0] < 100 ? ": too few to trust" : "";
    picked.append(element("span", {}, `${counts[0].toLocaleString("en-US")} of the trial's ${whole.toLocaleString("en-US")} samples fell in it${rough}.`));
    ran.replaceChildren();
    if (isWhole()) picked.append(" Drag across the map, or change the fields above, to see what ran in a window.");
    else if (counts[0] > 0) flameGraph(ran, { ...flame, title: `${trial.trial}, ${span}`, views: [{ name: "", counts }] });
  }

  /** Samples by second and by offset within it: what comes back at one moment of each second is a row. A second
   *  that is picked is the window. */
  function drawOffsets() {
    offsets.replaceChildren();
    const { starts_s, end_s, warmup } = trial.map;
    const [begin, end] = [Math.floor(starts_s[warmup]), Math.ceil(end_s)];
    const rows = Math.round(1 / (columnEnd(trial.map, warmup) - starts_s[warmup]));
    if (!trial.samples || !(rows >= 4) || end - begin < 2) return;
    const counts = new Array((end - begin) * rows).fill(0);
    trial.samples.columns.forEach((column, i) => {
      if (i < warmup) return;
      const middle = (starts_s[i] + columnEnd(trial.map, i)) / 2;
      const cell = (Math.floor(middle) - begin) * rows + Math.floor((middle % 1) * rows);
      for (let at = 1; at < column.length; at += 2) counts[cell] += column[at];
    });
    const most = Math.max(1, ...counts);
    const shades = ramp(most);
    const [width, height] = [Math.min(60, 900 / (end - begin)), 8];
    const pick = (second) => { from.value = second; to.value = second + 1; mark(); summarise(); };
    const seconds = Array.from({ length: end - begin }, (_, second) => element("g", { onclick: () => pick(begin + second) },
      element("title", {}, `${begin + second} to ${begin + second + 1} s`),
      ...Array.from({ length: rows }, (_, row) => {
        const count = counts[second * rows + row];
        return element("rect", { x: second * width, y: (rows - 1 - row) * height, width, height, fill: count ? shades(count) : "transparent" });
      })));
    const whole = [width * (end - begin), height * rows];
    offsets.append(
      element("p", {}, `The samples by second, from left to right, and by offset within it, from 0 s below to 1 s above: 1 to ${most} of them in a cell. Click a second to see what ran in it.`),
      element("svg", { class: "offsets", "shape-rendering": "crispEdges", viewBox: `0 0 ${whole[0]} ${whole[1]}`, width: whole[0], height: whole[1], role: "img", "aria-label": "Samples by second and offset within it; the fields above pick a window" }, ...seconds));
  }

  const legend = element("p", { class: "controls" });
  place.append(legend, offsets);

  /** What shades and lines mean in the trial that is drawn, and what of it lies outside of the map. */
  function tellLegend(least_ns, most) {
    const sample = (...shapes) => element("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" }, ...shapes);
    const shades = ramp(most);
    const swatch = (x, count) => element("rect", { x, y: 0, width: 14, height: 10, fill: shades(count) });
    const cells = most > 1 ? `shade: 1 to ${threeDigits(most)} requests` : "shade: 1 request";
    const entries = [element("span", { class: "chip" }, sample(swatch(0, 1), swatch(14, most)), cells)];
    for (const [key, color, words] of [["hiccups", "--hiccup", "the machine's own stalls"], ["lateness", "--lateness", "generator lateness"]]) {
      const longest = trial[key].reduce((longest, [, ns]) => Math.max(longest, ns), 0);
      if (longest === 0) continue;
      const below = longest < least_ns ? `: at most ${nanoseconds(longest)}, below the map` : "";
      entries.push(element("span", { class: "chip" },
        sample(element("line", { x1: 0, x2: 28, y1: 5, y2: 5, stroke: `var(${color})`, "stroke-width": 2 })), "longest of " + words + below));
    }
    if (!trial.hiccups.length) entries.push(element("span", { class: "absent" }, "No record of the machine's own stalls in this trial."));
    legend.replaceChildren(...entries);
  }

  let width = 0;
  new ResizeObserver(() => { if (plot.clientWidth !== width && view) { width = plot.clientWidth; view.setSize({ width, height: 300 }); mark(); } }).observe(plot);
  redraws.push(draw);
  whole();
  draw();
}

/** Powers of ten between two latencies, with 2 and 5 times them where there are few. */
function roundValues(low, high) {
  const steps = high / low > 300 ? [1] : [1, 2, 5];
  const values = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) values.push(...steps.map((step) => step * power));
  return values.filter((value) => value >= low && value <= high);
}

/** Shades from low to high by the logarithm of a count. */
function ramp(most) {
  const shades = between("--heat-low", "--heat-high");
  const scale = Math.log(most + 1);
  return (count) => shades(Math.min(1, most > 1 ? Math.log(count) / Math.log(most) : scale));
}
