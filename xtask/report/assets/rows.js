/* Heat maps with named rows: a value of each server, say, over time. */

function rowsChart(place, chart) {
  const controls = element("div", { class: "controls" });
  const plot = element("div", { class: "plot", role: "img", "aria-label": chart.title + ": shade by value; the table below has the figures" });
  const readout = element("output", { class: "readout" }, "Hover to read a cell.");
  const legend = element("p", { class: "controls" });
  let map = chart.trials[0];
  let view = null;
  if (chart.trials.length > 1) {
    const select = element("select", {}, ...chart.trials.map((one, i) => element("option", { value: i }, one.trial)));
    select.addEventListener("change", () => { map = chart.trials[select.value]; draw(); });
    controls.append(element("label", {}, "trial ", select));
    place.append(controls);
  }
  place.append(plot, readout, legend);

  const end = (i) => map.starts_s[i + 1] ?? map.end_s;
  const show = (value) => quantity(value, map.unit);

  /** The lowest and the highest value: the ends of the shades. Zero is the lowest where none is below it. */
  function reach() {
    let [low, high] = [0, -Infinity];
    for (const [, values] of map.rows) for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return [low, high];
  }

  function draw() {
    const [low, high] = reach();
    const names = map.rows.map(([name]) => name);
    const count = names.length;
    const shades = between("--heat-low", "--heat-high");
    const shade = (value) => shades(high > low ? (value - low) / (high - low) : 0);
    const axis = { font: "12px system-ui", labelFont: "12px system-ui", labelSize: 22, stroke: paint("--text"),
      grid: { show: false }, ticks: { stroke: paint("--rule") } };
    // As many names as have room.
    const height = Math.min(520, Math.max(180, 60 + 18 * count));
    const every = Math.ceil(count / ((height - 60) / 16));
    const named = names.map((_, i) => i).filter((i) => i % every === 0);
    if (view) view.destroy();
    view = new uPlot({
      width: plot.clientWidth || 600, height, legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [map.starts_s[0], map.end_s] }, y: { range: [-count, 0] } },
      axes: [{ ...axis, label: "seconds since the trial began" },
        { ...axis, size: widest(names), splits: () => named.map((i) => -i - 0.5), values: () => named.map((i) => names[i]), filter: (_, at) => at }],
      series: [{}, { show: true, stroke: "transparent", points: { show: false } }],
      hooks: { draw: [(u) => cells(u, shade)], setCursor: [hover] },
    }, [[map.starts_s[0], map.end_s], [null, null]], plot);
    const sample = (value) => element("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" }, element("rect", { x: 0, y: 0, width: 28, height: 10, fill: shade(value) }));
    legend.replaceChildren(...[low, (low + high) / 2, high].map((value) => element("span", { class: "chip" }, sample(value), show(value))));
    if (map.left_out) legend.append(element("span", { class: "absent" }, `${map.left_out} more rows are left out.`));
  }

  function cells(u, shade) {
    const context = u.ctx;
    map.rows.forEach(([, values], row) => {
      const above = Math.round(u.valToPos(-row, "y", true));
      const below = Math.round(u.valToPos(-row - 1, "y", true));
      values.forEach((value, i) => {
        const left = Math.round(u.valToPos(map.starts_s[i], "x", true));
        const right = Math.round(u.valToPos(end(i), "x", true));
        context.fillStyle = shade(value);
        context.fillRect(left, above, Math.max(1, right - left), Math.max(1, below - above));
      });
    });
  }

  function hover(u) {
    const { left, top } = u.cursor;
    if (left === undefined || left < 0) return;
    const seconds = u.posToVal(left, "x");
    const row = map.rows[Math.floor(-u.posToVal(top, "y"))];
    const after = map.starts_s.findIndex((start) => start > seconds);
    const i = (after < 0 ? map.starts_s.length : after) - 1;
    if (row && i >= 0) readout.textContent = `${row[0]}, ${threeDigits(map.starts_s[i])} to ${threeDigits(end(i))} s: ${show(row[1][i])}`;
  }

  let width = 0;
  new ResizeObserver(() => { if (plot.clientWidth !== width && view) { width = plot.clientWidth; draw(); } }).observe(plot);
  redraws.push(draw);
  draw();
}
