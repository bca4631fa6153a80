// What each kind of mark looks like. Shapes and hatchings tell them apart where colours do not.

const FRAMES = new Set(["tool", "transaction", "connection in use"]);
const BARS = new Set(["model request", "statement", "injected delay", "wait for a connection", "span", "event loop held"]);
const TWICE = new Set(["statement", "injected delay"]);

const HATCHES = {
  "injected delay": "M-7 3L-2 -4M-3 4L2 -4M2 4L7 -3",
  "wait for a connection": "M-4 -4V4M0 -4V4M4 -4V4",
  span: "M-7 0H7",
};

const slug = (kind) => kind.replaceAll(" ", "-");

const CROSS = "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5";
const GLYPHS = {
  begin: { d: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z", hollow: true },
  flush: { d: "M0 -4L4 3.5H-4z" },
  commit: { d: "M0 -5L5 0L0 5L-5 0z" },
  rollback: { d: "M0 -5L5 0L0 5L-5 0zM-2.5 -2.5L2.5 2.5", hollow: true },
  close: { d: "M-2.5 -4V4M2.5 -4V4", line: true },
  connect: { d: "M-4 0H4M0 -4V4", line: true },
  checkout: { d: "M-3 -4L4 0L-3 4z", hollow: true },
  checkin: { d: "M3 -4L-4 0L3 4z", hollow: true },
  invalidate: { d: CROSS, line: true },
  "connection closed": { d: "M-3 -3H3V3H-3z", hollow: true },
  "arrival at the barrier": { d: "M0 -5V5M-3 -5H3M-3 5H3", line: true },
  error: { d: "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0zM-2.2 -2.2L2.2 2.2M-2.2 2.2L2.2 -2.2", hollow: true },
};

/** A glyph around the origin. */
function glyph(kind) {
  const { d, hollow = false, line = false } = GLYPHS[kind] ?? { d: CROSS, line: true };
  const style = line ? "line" : hollow ? "hollow" : "full";
  return [draw("path", { d, class: "halo" }), draw("path", { d, class: style })];
}

/** Hatchings for marks whose colour is close to another's; ids are the drawing's own. */
function hatchings(prefix) {
  const hatch = (kind, d) =>
    draw("pattern", { id: `${prefix}-${kind}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, draw("path", { d, class: `hatch ${kind}` }));
  return draw(
    "defs",
    {},
    hatch("injected-delay", "M-1.5 1.5L1.5 -1.5M0 6L6 0M4.5 7.5L7.5 4.5"),
    hatch("wait-for-a-connection", "M1.5 0V6M4.5 0V6"),
    hatch("span", "M0 3H6"),
  );
}

/** A sample of a kind, for the legend. */
function sample(kind) {
  const box = { viewBox: "-8 -8 16 16", width: 16, height: 16, "aria-hidden": "true", class: `mark k-${slug(kind)}` };
  if (kind in GLYPHS) return draw("svg", box, glyph(kind));
  const bar = BARS.has(kind);
  const rect = draw("rect", { x: -7, y: bar ? -4 : -6, width: 14, height: bar ? 8 : 12, rx: 2, class: bar ? "bar-shape" : "frame-shape" });
  const hatch = HATCHES[kind];
  return draw("svg", box, rect, hatch === undefined ? null : draw("path", { d: hatch, class: "hatch" }));
}
