// Elements are made here, and nowhere else. What comes from the run becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

/** Set attributes: functions are listeners, `true` is an empty attribute, `false` and `null` are left out. */
function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  return element;
}

/** An HTML element with its children; children that are `null`, `false` or empty are left out. */
function make(tag, attributes = {}, ...children) {
  const element = dress(document.createElement(tag), attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== false && child !== ""));
  return element;
}

/** An SVG element with its children. */
function draw(tag, attributes = {}, ...children) {
  const element = dress(document.createElementNS(SVG, tag), attributes);
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** `1 turn`, `1,305 turns`. */
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Microseconds in words: `0.42 ms`, `52.4 ms`, `2.41 s`. */
function duration(micro) {
  const ms = micro / 1000;
  if (Math.abs(ms) >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (Math.abs(ms) >= 10) return `${ms.toFixed(1)} ms`;
  return `${ms.toFixed(2)} ms`;
}

/** Say something to those who hear the page. */
function say(text) {
  byId("said").textContent = text;
}

/** What is left out, counted; nothing if nothing is. */
const more = (count, noun) => (count > 0 ? make("p", { class: "dim" }, `and ${plural(count, noun)} more, in run.json`) : null);

/** A command with a button that copies it. */
function command(text) {
  return make("div", { class: "command" }, make("code", {}, text), make("button", { type: "button", class: "copy" }, "Copy"));
}

/** A list of names and values. */
function facts(pairs, className = "facts-line") {
  const shown = pairs.filter(([, value]) => value !== "" && value !== null);
  return make("dl", { class: className }, shown.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

/** A table; `rows` are arrays of texts or nodes, the first of which names its row. */
function table(heads, rows, attributes = {}) {
  return make(
    "table",
    attributes,
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, index) => make(index ? "td" : "th", index ? {} : { scope: "row" }, cell))))),
  );
}

/** Something that may be wider than its place, and can then be scrolled by keyboard, too. */
function scrolled(label, ...children) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);
}
