"use strict";
(() => {
  const LEFT = 10, USABLE = 1180, CHAR = 7.25, THIN = 4;

  const graphs = [...document.querySelectorAll("svg.flame")].map((svg) => {
    const boxes = [...svg.querySelectorAll("g")].map((g, index) => {
      const rect = g.querySelector("rect"), text = g.querySelector("text");
      const facts = g.querySelector("title").textContent;
      return {
        g, rect, text, facts, index, label: facts.split("\n")[0], depth: +g.dataset.d,
        x: +rect.getAttribute("x"), width: +rect.getAttribute("width"),
      };
    });
    const byElement = new Map(boxes.map((box) => [box.g, box]));
    const boxAt = (element) => byElement.get(element.closest("g"));
    return { svg, boxes, boxAt, details: svg.querySelector(".details") };
  });

  // Boxes stand in the order of a walk, so those inside a box follow it at once.
  const end = (boxes, { index, depth }) => {
    let next = index + 1;
    while (next < boxes.length && boxes[next].depth > depth) next++;
    return next;
  };

  const parent = (boxes, { index, depth }) => {
    while (index > 0 && boxes[index].depth >= depth) index--;
    return boxes[index];
  };

  const place = (box, x, width) => {
    box.g.classList.toggle("thin", width < THIN);
    box.rect.setAttribute("x", x);
    box.rect.setAttribute("width", width);
    box.text.setAttribute("x", x + 3);
    const room = Math.floor((width - 6) / CHAR), letters = [...box.label];
    const cut = () => letters.slice(0, room - 2).join("") + "..";
    box.text.textContent = room < 3 ? "" : letters.length > room ? cut() : box.label;
  };

  const zoom = ({ boxes }, to) => {
    const last = end(boxes, to), scale = USABLE / to.width;
    for (const box of boxes) {
      const inside = box.index >= to.index && box.index < last;
      const above = box.index < to.index && end(boxes, box) > to.index;
      box.g.classList.toggle("off", !inside && !above);
      box.g.classList.toggle("above", above);
      if (above) place(box, LEFT, USABLE);
      if (inside) place(box, LEFT + (box.x - to.x) * scale, box.width * scale);
    }
  };

  const reset = ({ boxes }) => {
    for (const box of boxes) {
      box.g.classList.remove("off", "above");
      place(box, box.x, box.width);
    }
  };

  // A match inside a match is not counted again.
  const search = (term) => {
    for (const { boxes, details } of graphs) {
      let counted = 0, from = 0;
      for (const box of boxes) {
        const hit = term !== "" && box.label.toLowerCase().includes(term.toLowerCase());
        box.g.classList.toggle("hit", hit);
        if (hit && box.index >= from) {
          counted += box.width;
          from = end(boxes, box);
        }
      }
      const share = boxes.length ? 100 * counted / boxes[0].width : 0;
      details.textContent = term === "" ? " " : `Matched: ${share.toFixed(1)}%`;
    }
  };

  const colour = () => {
    for (const { svg } of graphs) {
      const self = svg.dataset.colour === "i";
      svg.dataset.colour = self ? "s" : "i";
      svg.querySelector("[data-does=colour]").textContent = `Colour: ${self ? "self" : "inclusive"}`;
    }
  };

  const act = (graph, target) => {
    const box = graph.boxAt(target);
    if (box) return zoom(graph, box);
    switch (target.dataset.does) {
      case "reset": reset(graph); return search("");
      case "search": return search(prompt("Part of a name", "") ?? "");
      case "colour": return colour();
    }
  };

  const visible = ({ g }) => !g.classList.contains("off");
  const step = ({ svg, boxes }, from, key) => {
    const beside = boxes.filter((box) => box.depth === from.depth && visible(box));
    const at = beside.indexOf(from), inside = boxes.slice(from.index + 1, end(boxes, from));
    const calls = [inside.find(visible), parent(boxes, from)];
    const [up, down] = svg.dataset.root === "top" ? calls.reverse() : calls;
    return { ArrowUp: up, ArrowDown: down, ArrowLeft: beside[at - 1], ArrowRight: beside[at + 1] }[key];
  };

  for (const graph of graphs) {
    const { svg, boxAt, details } = graph;
    const tell = (event) => {
      const box = boxAt(event.target);
      if (box) details.textContent = box.facts.replaceAll("\n", " | ");
    };
    svg.addEventListener("click", (event) => act(graph, event.target));
    svg.addEventListener("mouseover", tell);
    svg.addEventListener("focusin", tell);
    svg.addEventListener("keydown", (event) => {
      const box = boxAt(event.target), to = box && step(graph, box, event.key);
      if (event.key === "Enter" || event.key === " ") act(graph, event.target);
      else if (event.key === "Escape") { reset(graph); search(""); }
      else if (to) to.g.focus();
      else return;
      event.preventDefault();
    });
  }
})();
