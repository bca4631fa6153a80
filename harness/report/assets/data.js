// What the run was: unpacked once, and read by names. Texts and stacks are numbers in the packed value.

let RUN = null;

/** Unpack what is in the page; nothing is loaded. */
async function unpack(packed) {
  const plain = atob(packed);
  const bytes = new Uint8Array(plain.length);
  for (let place = 0; place < plain.length; place += 1) bytes[place] = plain.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  RUN = JSON.parse(await new Response(stream).text());
  RUN.excerpts = new Map(RUN.sources.map((row) => [text(row[0]), row]));
}

const text = (number) => RUN.texts[number];
const stackOf = (number) => RUN.stacks[number].map(text);

/** The findings that stand in a cell, and those that stand in one of its turns, with numbers as the timelines have them. */
function findingsOf(cell, turn) {
  const found = [cell, cell.details[turn]].flatMap((place) => (place === undefined ? [] : place.findings.map((row) => findingOf(row, place.races, cell))));
  return found.sort((one, other) => one.number - other.number);
}

function findingOf([number, kind, message, where, turn, stack, unexpected, own, race], races, cell) {
  return {
    number,
    kind,
    message: text(message),
    where: text(where),
    turn,
    stack: stackOf(stack),
    unexpected,
    command: text(own || cell.command),
    race: race < 0 ? null : raceOf(races[race]),
  };
}

/** What to call to find a cell in run.json. */
const nameOf = (cell) => `${text(cell.scenario)}/${cell.mode}-${cell.pool}-${cell.tier}`;

/** A command that makes a page about some cells alone, which has more room for each of them. */
function pageCommand(names) {
  const quoted = names.map((name) => `--cell '${name.replaceAll("'", "'\\''")}'`);
  return `sessionproof report run.json --format html --output part.html ${quoted.join(" ")}`;
}

function raceOf(race) {
  const accesses = race.accesses.map(([operation, who, stack, created]) => ({
    operation: text(operation),
    who: text(who),
    stack: stackOf(stack),
    created: stackOf(created),
  }));
  return { kind: race.kind, subject: text(race.subject), count: race.count, created: stackOf(race.created), accesses };
}

/** One line for each turn. */
function turnsOf(cell) {
  return cell.turns.map(([id, who, took, state, tools, failed, statements, findings, parallel], number) => ({
    number,
    id: text(id),
    who: text(who),
    took,
    state,
    tools,
    failed,
    statements,
    findings,
    parallel,
    kept: number in cell.details,
  }));
}

/** What is drawn of a turn; `null` if it is in run.json alone. Moments are microseconds since the turn began. */
function detailOf(cell, number) {
  const kept = cell.details[number];
  if (kept === undefined) return null;
  let at = 0;
  const marks = kept.marks.map(([kind, lane, task, since, took, said, stack, flags]) => {
    at += since;
    return {
      kind: RUN.marks[kind],
      lane,
      task,
      start: at,
      took,
      end: took < 0 ? at : at + took,
      text: text(said),
      stack: stackOf(stack),
      failed: (flags & 1) > 0,
      unended: (flags & 2) > 0,
    };
  });
  return {
    ...kept,
    took: cell.turns[number][2],
    lanes: kept.lanes.map(([kind, label]) => ({ kind: RUN.lanes[kind], label: text(label) })),
    marks,
    signs: kept.signs.map(([finding, lane, when, firstLane, first, exact]) => ({
      finding,
      lane,
      at: when,
      firstLane: firstLane < 0 ? null : firstLane,
      first,
      exact,
    })),
  };
}
