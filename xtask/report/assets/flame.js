/* Flame graphs: zoom by click or Enter, walk by arrows, search by name. */

const ROW = 17;
const LEAST_PX = 0.6;
const CHAR_PX = 6.7;

function flameGraph(place, flame) {
  const views = flame.views || [{ name: "", counts: flame.boxes.filter((_, i) => i % 3 === 2) }];
  const boxes = [];
  for (let i = 0; i < flame.boxes.length; i += 3) {
    boxes.push({ depth: flame.boxes[i], name: flame.names[flame.boxes[i + 1]], index: i / 3 });
  }
  let view = views[views.length > 1 ? 1 : 0];
  let zoomed = 0;
  let wanted = "";
  let focused = 0;
  let folds = true;

  const search = element("input", { type: "search", placeholder: "search frames", "aria-label": "Search frames" });
  const matched = element("output", {});
  const controls = element("div", { class: "controls" },
    ...(views.length > 1 ? views.map((one) => button(one.name, one === view, (self) => {
      view = one;
      for (const other of self.parentNode.querySelectorAll("button[aria-pressed]")) other.setAttribute("aria-pressed", other === self);
      layout();
      zoom(0);
    })) : []),
    search, button("zoom out", null, () => zoom(0)));
  const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Frames of " + flame.title });
  const details = element("output", { class: "readout" });
  place.append(controls, scroll, details);
  search.addEventListener("input", () => { wanted = search.value.toLowerCase(); draw(); });

  const runtime = element("span", {});
  controls.append(runtime, matched);

  /** How many frames of the runtime each box stands on, and which are such frames: -1. */
  function fold() {
    const folded = runtimeFrames(boxes);
    boxes.forEach((box, i) => { box.folded = folds && folded.has(i); });
    boxes.forEach((box) => { box.sunk = box.depth ? boxes[box.parent].sunk + (boxes[box.parent].folded ? 1 : 0) : 0; });
    runtime.replaceChildren();
    if (folded.size) runtime.append(button(`runtime frames (${folded.size})`, !folds, (self) => {
      folds = !folds;
      fold();
      zoom(0);
      runtime.querySelector("button").focus();
    }));
  }

  /** How many drawn boxes a box stands on. */
  const level = (box) => box.depth - box.sunk;

  /** The next box towards the root that is drawn. */
  function caller(box) {
    let at = box.parent;
    while (at >= 0 && boxes[at].folded) at = boxes[at].parent;
    return at;
  }

  /** Where each box begins: after the siblings before it. Also parents, and so who is an ancestor. */
  function layout() {
    const next = [0];
    const open = [];
    boxes.forEach((box, i) => {
      box.count = view.counts[i];
      open.length = box.depth;
      box.parent = box.depth ? open[box.depth - 1] : -1;
      open[box.depth] = i;
      box.x = next[box.depth];
      next.length = box.depth;
      next.push(box.x + box.count, box.x);
    });
  }

  function zoom(index) {
    zoomed = index;
    focused = index;
    draw();
    scroll.scrollTop = scroll.scrollHeight;
  }

  function draw() {
    const width = Math.max(300, scroll.clientWidth - 2);
    const root = boxes[zoomed];
    // Before and after share one scale: the same width is the same cost in both.
    const [before, after] = flame.changes ? flame.changes[zoomed] : [0, 0];
    const whole = view.name === "elided" ? root.count : Math.max(root.count, before, after);
    const scale = whole > 0 ? width / whole : 0;
    const ancestors = new Set();
    for (let at = root.parent; at >= 0; at = boxes[at].parent) ancestors.add(at);
    const shown = boxes.filter((box) => !box.folded).filter((box) => ancestors.has(box.index)
      || (box.count > 0 && box.x >= root.x && box.x + box.count <= root.x + root.count + 1e-9 && box.depth >= root.depth && box.count * scale >= LEAST_PX));
    const deepest = shown.reduce((depth, box) => Math.max(depth, level(box)), 0);
    const height = (deepest + 1) * ROW;
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "tree", "aria-label": flame.title });
    for (const box of shown) {
      const above = ancestors.has(box.index);
      const [left, wide] = above ? [0, width] : [(box.x - root.x) * scale, box.count * scale];
      svg.append(drawBox(box, left, wide, height - (level(box) + 1) * ROW, above));
    }
    const fromBottom = scroll.scrollHeight - scroll.scrollTop;
    scroll.replaceChildren(svg);
    scroll.scrollTop = scroll.scrollHeight - fromBottom;
    told();
  }

  function drawBox(box, left, wide, y, ancestor) {
    const group = element("g", { role: "treeitem", tabindex: box.index === focused ? "0" : "-1", "data-box": box.index,
      "aria-level": level(box) + 1, "aria-label": facts(box), ...(ancestor ? { opacity: "0.6" } : {}) },
      element("rect", { x: left.toFixed(2), y, width: Math.max(0.5, wide - 0.4).toFixed(2), height: ROW - 1, fill: fill(box), rx: 1 }));
    if (wide >= 6 + 3 * CHAR_PX) {
      // Cut off where the box ends: what is read aloud has what is seen in it.
      group.append(element("svg", { x: (left + 3).toFixed(2), y, width: (wide - 6).toFixed(2), height: ROW - 1 },
        element("text", { y: 12 }, lastParts(box.name, (wide - 6) / CHAR_PX))));
    }
    group.addEventListener("mouseenter", () => { details.textContent = facts(box); });
    group.addEventListener("focus", () => { details.textContent = facts(box); });
    group.addEventListener("click", () => zoomTo(box.index));
    group.addEventListener("keydown", (event) => walk(event, box));
    return group;
  }

  function zoomTo(index) {
    zoom(index);
    focusBox(index);
  }

  function focusBox(index) {
    const group = scroll.querySelector(`[data-box="${index}"]`);
    if (!group) return;
    const before = scroll.querySelector('[tabindex="0"]');
    if (before) before.setAttribute("tabindex", "-1");
    group.setAttribute("tabindex", "0");
    focused = index;
    group.focus();
  }

  function walk(event, box) {
    const drawn = (index) => scroll.querySelector(`[data-box="${index}"]`) !== null;
    const siblings = boxes.filter((other) => caller(other) === caller(box) && drawn(other.index));
    const at = siblings.indexOf(box);
    const go = {
      Enter: () => zoomTo(box.index), " ": () => zoomTo(box.index), Escape: () => zoomTo(0),
      ArrowDown: () => caller(box) >= 0 && focusBox(caller(box)),
      ArrowUp: () => { const child = boxes.find((other) => caller(other) === box.index && drawn(other.index)); if (child) focusBox(child.index); },
      ArrowRight: () => siblings[at + 1] && focusBox(siblings[at + 1].index),
      ArrowLeft: () => siblings[at - 1] && focusBox(siblings[at - 1].index),
    }[event.key];
    if (!go) return;
    event.preventDefault();
    go();
  }

  const share = (count) => threeDigits((100 * count) / Math.max(boxes[0].count, 1e-12)) + " %";

  function facts(box) {
    if (flame.changes) {
      const [before, after, shade] = flame.changes[box.index];
      const delta = before > 0 ? ` (${after >= before ? "+" : ""}${threeDigits((100 * (after - before)) / before)} %)` : " (new)";
      return `${box.name}: ${threeDigits(before)} before, ${threeDigits(after)} after${delta}, ${flame.unit}${shade === 0 ? "; no real change" : ""}`;
    }
    return `${box.name}: ${box.count.toLocaleString("en-US")} ${flame.unit}, ${share(box.count)}`;
  }

  function fill(box) {
    if (wanted && box.name.toLowerCase().includes(wanted)) return "#e31ce3";
    if (flame.changes) {
      const shade = flame.changes[box.index][2];
      const strength = [0, 0.35, 0.55, 0.7, 0.85, 1][Math.abs(shade)];
      const mix = (from, to) => Math.round(from + strength * (to - from));
      if (shade === 0) return "#c9c9c9";
      return shade > 0 ? `rgb(${mix(245, 213)} ${mix(222, 94)} ${mix(210, 0)})` : `rgb(${mix(214, 60)} ${mix(230, 150)} ${mix(245, 220)})`;
    }
    const dice = hash(box.name);
    if (flame.hot_cold) {
      if (box.hot > 0 && box.cold > 0) return "#c9c9c9";
      return box.hot > 0 ? `rgb(240 ${130 + (dice % 60)} 60)` : `rgb(${110 + (dice % 60)} ${165 + (dice % 50)} 235)`;
    }
    if (box.name.endsWith("_[k]")) return `rgb(${190 + (dice % 40)} ${150 + (dice % 40)} ${220 + (dice % 30)})`;
    // As in the files: time off the CPU is blue, memory is green.
    if (flame.unit === "µs") return `rgb(${110 + (dice % 60)} ${165 + (dice % 50)} ${215 + (dice % 40)})`;
    if (flame.unit === "bytes") return `rgb(${100 + (dice % 60)} ${190 + (dice % 50)} ${100 + (dice % 60)})`;
    return `rgb(${230 + (dice % 25)} ${120 + (dice % 110)} ${50 + (dice % 50)})`;
  }

  function told() {
    if (!wanted) { matched.textContent = ""; return; }
    const covered = new Set();
    let count = 0;
    boxes.forEach((box, i) => {
      const under = box.parent >= 0 && covered.has(box.parent);
      const hit = box.name.toLowerCase().includes(wanted);
      if (hit && !under) count += box.count;
      if (hit || under) covered.add(i);
    });
    matched.textContent = "matched: " + share(count);
  }

  let width = 0;
  new ResizeObserver(() => { if (scroll.clientWidth !== width) { width = scroll.clientWidth; draw(); scroll.scrollTop = scroll.scrollHeight; } }).observe(scroll);
  layout();
  temperature();
  fold();
  zoom(0);

  /** What of each box ran on a CPU, and what did not. */
  function temperature() {
    if (!flame.hot_cold) return;
    for (const box of boxes) [box.hot, box.cold] = [0, 0];
    for (const box of [...boxes].reverse()) {
      if (box.name === "[on a CPU]") box.hot = box.count;
      else if (box.name === "[blocked]" || box.name === "[run queue]") box.cold = box.count;
      if (box.depth) { boxes[box.parent].hot += box.hot; boxes[box.parent].cold += box.cold; }
    }
  }
}

/** As much of a path's end as has room, `server::parse` of `lab::server::parse`, but its last part at least:
 * neighbours mostly differ in that. */
function lastParts(name, room) {
  let rest = name;
  while (rest.length > room && /^\w+::./.test(rest)) rest = rest.slice(rest.indexOf("::") + 2);
  return rest;
}

/** What starts a program or a thread, before its own code: libc, Rust's runtime, tokio's. */
const STARTS = new RegExp([
  /^_start$|^_?_?clone3?$|^start_thread$|^thread_start$|^__libc_start|^__pthread|^main$/,
  /^std::(rt|panicking|panic)::|__rust_(begin_short|end_short)_backtrace/,
  /^std::thread::(Builder|lifecycle|spawnhook|thread|functions|scoped)::/,
  /^std::sys::(.*::)?(thread|threads?)(::.*)?::thread_start/,
  /^core::ops::function::FnOnce::call_once|^<.*as core::ops::function::Fn(Once|Mut)?<.*>>::call/,
  /^<.*AssertUnwindSafe<.*> as |^core::ops::function::impls::/,
  /^tokio::(runtime|task|util|loom)::|^<?tokio::.*(block_on|Runtime|LocalKey)|^<core::pin::Pin<.*> as core::future/,
].map((one) => one.source).join("|"));

/** The frames between the root and the program's own first frame; a thread's name stays below them. */
function runtimeFrames(boxes) {
  const start = (box) => STARTS.test(box.name);
  const leading = new Set();
  const children = boxes.map(() => []);
  boxes.forEach((box, i) => { if (box.depth) children[box.parent].push(i); });
  boxes.forEach((box, i) => {
    if (box.depth === 0 || !start(box)) return;
    const above = boxes[box.parent];
    const begins = above.depth === 0 || leading.has(box.parent) || (above.depth === 1 && !start(above));
    // A program's own main stands on the runtime's; C's has the runtime on it.
    if (begins && (box.name !== "main" || children[i].some((child) => start(boxes[child])))) leading.add(i);
  });
  // Where nothing of the program stands on them, they are what there is to see.
  const own = boxes.map((_, i) => !leading.has(i));
  for (let i = boxes.length - 1; i > 0; i--) if (own[i]) own[boxes[i].parent] = true;
  return new Set([...leading].filter((i) => own[i]));
}

/** A number that depends on the name alone (FNV-1a). */
function hash(name) {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193);
  return value >>> 8;
}
