"use strict";
/* Numbers, colours and elements, for every part of a page. */

/** An element with attributes, children and text; text is never markup. */
function element(name, attributes, ...children) {
  const made = /^(svg|g|rect|text|title|line)$/.test(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function button(words, pressed, does) {
  const made = element("button", { type: "button" }, words);
  if (pressed !== null) made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", () => does(made));
  return made;
}

function threeDigits(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

function nanoseconds(ns) {
  const size = Math.abs(ns);
  if (size < 999.5) return threeDigits(ns) + " ns";
  if (size < 999.5e3) return threeDigits(ns / 1e3) + " µs";
  if (size < 999.5e6) return threeDigits(ns / 1e6) + " ms";
  return threeDigits(ns / 1e9) + " s";
}

function quantity(value, unit) {
  if (unit === "ns") return nanoseconds(value);
  if (unit === "ratio" || unit === "count" || unit === "") return threeDigits(value);
  return threeDigits(value) + " " + unit;
}

/** `p99.9` for a place on the scale log10(1/(1−p)). */
function percentile(decades) {
  const decimals = Math.max(0, Math.ceil(decades) - 2) + 1;
  const percent = 100 * (1 - 10 ** -decades);
  return "p" + String(Number(percent.toFixed(Math.min(decimals, 9))));
}

const COLORS = 7;
const DASHES = [[], [9, 4], [2, 3], [12, 3, 2, 3]];

function paint(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Red, green and blue of one of the page's colours. */
function channels(name) {
  const hex = paint(name).slice(1);
  const digits = hex.length === 3 ? [...hex].map((digit) => digit + digit) : hex.match(/../g);
  return digits.map((pair) => parseInt(pair, 16));
}

/** The colours between two of the page's, by the share of the second. */
function between(one, other) {
  const [from, to] = [channels(one), channels(other)];
  return (share) => `rgb(${from.map((value, i) => Math.round(value + share * (to[i] - value))).join(" ")})`;
}

function colorOf(label) {
  const index = label ? label.color : 0;
  return { color: "--c" + (index % COLORS), dash: DASHES[Math.floor(index / COLORS) % DASHES.length] };
}

/** Redraws everything that took its colours from the page: called when the theme changes. */
const redraws = [];
