// Where things are, up and down: lanes below each other, and marks that last at the same time beside each other.

const BAR_HEIGHT = 11;
const BAR_STEP = 13;
const GLYPH_ROW = 15;
const LANE_PADDING = 4;
const MOST_MARKS = 3000;
const SIGN_STEP = 17;
const SIGN_EDGE = 9;
const MOST_SIGNS = 3;

/** Give each bar of a lane the highest row in which it meets no other. */
function stackBars(bars) {
  const ends = [];
  for (const bar of bars) {
    let row = ends.findIndex((end) => end <= bar.mark.start);
    if (row < 0) row = ends.length;
    ends[row] = Math.max(bar.mark.end, bar.mark.start + 1);
    bar.row = row;
  }
  return ends.length;
}

/**
 * The lanes of a turn with what is drawn in them. A statement is in two lanes: its task's and its server process's.
 * Frames are behind everything; bars are rows from the top; what has no length stands in a row below them.
 */
function layOut(turn) {
  const lanes = turn.lanes.map((lane, number) => ({ ...lane, number, frames: [], bars: [], glyphs: [], signs: [] }));
  for (const mark of turn.marks.slice(0, MOST_MARKS)) {
    const homes = TWICE.has(mark.kind) && mark.task >= 0 && mark.task !== mark.lane ? [mark.lane, mark.task] : [mark.lane];
    for (const home of homes) {
      const lane = lanes[home];
      (FRAMES.has(mark.kind) ? lane.frames : BARS.has(mark.kind) ? lane.bars : lane.glyphs).push({ mark, lane: home });
    }
  }
  for (const sign of turn.signs) lanes[sign.lane].signs.push({ sign, lane: sign.lane });
  let top = 0;
  for (const lane of lanes) {
    const rows = stackBars(lane.bars);
    const inGlyphRow = lane.glyphs.length || lane.signs.length || !rows;
    lane.top = top;
    lane.height = Math.max(24, 2 * LANE_PADDING + rows * BAR_STEP + (inGlyphRow ? GLYPH_ROW : 0));
    lane.glyphY = inGlyphRow ? top + lane.height - LANE_PADDING - GLYPH_ROW / 2 : top + lane.height / 2;
    for (const bar of lane.bars) bar.y = top + LANE_PADDING + 1 + bar.row * BAR_STEP;
    top += lane.height;
  }
  return { lanes, height: top, left: Math.max(0, turn.marks.length - MOST_MARKS) };
}

/** How wide the sign of so many findings is. */
const groupWidth = (count) => 13 + 7 * String(count).length;

/** Where some signs begin that would lie on each other, so that they stay inside of the drawing. */
function settled(x, members, width) {
  const room = members.length > MOST_SIGNS ? groupWidth(members.length) + 2 : members.length * SIGN_STEP;
  const start = Math.max(SIGN_EDGE, Math.min(x, width - room + SIGN_STEP - SIGN_EDGE));
  return { x, members, start, end: start + room };
}

/**
 * Signs by where they are, from left to right: those that would lie on each other are together, a few beside each
 * other, more of them as one. Those whose moment is not seen stay where that is.
 */
function gather(places, width) {
  const found = [];
  places.forEach((x, index) => {
    if (x < 0 || x > width) {
      found.push({ x, members: [index], start: x, end: -Infinity });
      return;
    }
    let here = settled(x, [index], width);
    while (found.length && found.at(-1).end > here.start) {
      const before = found.pop();
      here = settled(before.x, [...before.members, ...here.members], width);
    }
    found.push(here);
  });
  return found;
}

/** A mark in one sentence, as it is read aloud. */
function sentence(mark, turn) {
  const lane = turn.lanes[mark.lane].label;
  const who = mark.task >= 0 && mark.task !== mark.lane ? `, by ${turn.lanes[mark.task].label}` : "";
  const when = mark.took < 0 ? `at ${duration(mark.start)}` : `from ${duration(mark.start)}, for ${duration(mark.took)}`;
  const state = `${mark.failed ? ", failed" : ""}${mark.unended ? ", not ended" : ""}`;
  const said = mark.text === "" ? "" : `: ${mark.text.length > 160 ? `${mark.text.slice(0, 160)}…` : mark.text}`;
  return `${mark.kind} in ${lane}${who}, ${when}${state}${said}`;
}
