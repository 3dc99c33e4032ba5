/* Puts every chart where the page has a place for it. */
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const kinds = { percentiles: percentileChart, ecdf: ecdfChart, lines: curvesChart, heat: heatChart, shift: shiftChart,
    stacked: stackedChart, rows: rowsChart, trails: trailsChart };
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = data.charts[place.dataset.chart];
    kinds[chart.kind](place, chart, data);
  }
  for (const place of document.querySelectorAll("[data-flame]")) flameGraph(place, data.flames[place.dataset.flame]);

  for (const link of document.querySelectorAll("a[data-claim]")) link.addEventListener("click", () => {
    const closed = document.querySelector(link.getAttribute("href") + " details.few");
    if (closed) closed.open = true;
    const place = document.querySelector(link.getAttribute("href") + " [data-chart]");
    if (place && place.only) place.only(link.dataset.claim);
  });

  const choose = document.getElementById("lab-filter");
  if (choose) choose.addEventListener("change", () => {
    for (const row of document.querySelectorAll("tr[data-lab]")) row.hidden = choose.value !== "" && row.dataset.lab !== choose.value;
  });

  const redraw = () => { for (const draw of redraws) draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // Paper is white: charts are drawn in its colours, not in the screen's.
  const printing = (on) => () => { document.documentElement.classList.toggle("print", on); redraw(); };
  addEventListener("beforeprint", printing(true));
  addEventListener("afterprint", printing(false));
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}
