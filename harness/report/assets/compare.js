// A turn's timeline, with those of the same scenario in other session modes below it, on one axis.

const TABLE_PAGE = 100;

/** The cells to show together: this one, and its scenario's `shared` and `per_operation` in the same pool and tier. */
function companions(number) {
  const cell = RUN.cells[number];
  const alike = (other) => ["scenario", "pool", "tier", "fault"].every((name) => other[name] === cell[name]);
  const wanted = new Set(["shared", cell.mode, "per_operation"]);
  const found = [...wanted].map((mode) =>
    mode === cell.mode ? number : RUN.cells.findIndex((other) => other !== null && other.mode === mode && alike(other)),
  );
  return found.filter((place) => place >= 0);
}

/** Frames as they stand in a table: the innermost, and all of them when they are asked for. */
function framesCell(frames) {
  if (frames.length < 2 && excerpt(frames[0] ?? "") === null) return frames[0] ?? "";
  return make("details", {}, make("summary", {}, frames.at(-1)), stackList(frames));
}

/** The turn's marks and findings as a table, with everything that the drawing has. */
function markTable(turn, title, finding) {
  const rows = turn.marks.map((mark) => {
    const state = [mark.failed ? "failed" : "", mark.unended ? "not ended" : ""].filter(Boolean).join(", ");
    const who = mark.task >= 0 && mark.task !== mark.lane ? turn.lanes[mark.task].label : "";
    return [(mark.start / 1000).toFixed(3), mark.took < 0 ? "" : (mark.took / 1000).toFixed(3), mark.kind, turn.lanes[mark.lane].label, who, state, mark.text, mark.stack];
  });
  for (const sign of turn.signs) {
    const { kind, message, stack, unexpected } = finding(sign.finding);
    rows.push([(sign.at / 1000).toFixed(3), "", `finding ${sign.finding + 1}: ${kind}`, turn.lanes[sign.lane].label, together(sign, turn), unexpected ? "unexpected" : "expected here", message, stack]);
  }
  rows.sort((one, other) => Number(one[0]) - Number(other[0]));
  const pages = Math.ceil(rows.length / TABLE_PAGE);
  const place = make("div", {});
  const go = (page) => {
    const shown = rows.slice(page * TABLE_PAGE, (page + 1) * TABLE_PAGE).map((row) => [...row.slice(0, -1), framesCell(row.at(-1))]);
    const pager = pages < 2 ? null : make(
      "div",
      { class: "pager" },
      make("button", { type: "button", disabled: page === 0, click: () => go(page - 1) }, "Previous"),
      make("button", { type: "button", disabled: page === pages - 1, click: () => go(page + 1) }, "Next"),
      make("span", { class: "dim" }, `${page * TABLE_PAGE + 1} to ${page * TABLE_PAGE + shown.length} of ${rows.length}`),
    );
    const heads = ["at (ms)", "for (ms)", "what", "lane", "by, or with", "state", "text", "where"];
    place.replaceChildren(...[pager, scrolled(`Timeline of ${title} as a table`, table(heads, shown, { class: "marks" }))].filter(Boolean));
  };
  const details = make("details", { class: "as-table" }, make("summary", {}, `The same as a table: ${plural(rows.length, "row")}`), place);
  details.addEventListener("toggle", () => {
    if (details.open && !place.hasChildNodes()) go(0);
  });
  return details;
}

/** The access with which a finding is wrong together, and whether its moment is its own. */
function together(sign, turn) {
  if (sign.firstLane === null) return "";
  return `${turn.lanes[sign.firstLane].label} at ${duration(sign.first)}${sign.exact ? "" : " (its last recorded moment before)"}`;
}

/** What is looked at, in full: hovered or focused; pinned by a click or the enter key. */
class Inspector {
  constructor() {
    this.pinned = false;
    this.origin = null;
    this.body = make("div", { class: "inspected" });
    this.unpin = make("button", { type: "button", class: "plain", hidden: true, click: () => this.release() }, "Unpin");
    this.element = make("section", { class: "inspector", "aria-label": "Details", keydown: (event) => event.key === "Escape" && this.release() }, this.unpin, this.body);
    this.release();
  }

  /** Let go; the focus goes back to what was pinned, if it was here. */
  release() {
    if (this.element.contains(document.activeElement)) this.origin?.focus();
    this.pinned = false;
    this.unpin.hidden = true;
    this.element.classList.remove("at-work");
    this.body.replaceChildren(make("p", { class: "dim" }, "Point at a mark, or go to it with the tab and arrow keys. A click or the enter key keeps its details here."));
  }

  /** `track` has the turn, its title, `finding(number)`, and `follow(number)`. */
  show(subject, track) {
    this.element.classList.add("at-work");
    if (this.pinned) return;
    const said = "signs" in subject ? this.#group(subject, track) : "finding" in subject ? this.#sign(subject, track) : this.#mark(subject, track);
    this.body.replaceChildren(...said.filter(Boolean));
  }

  pin(subject, track) {
    this.pinned = false;
    this.show(subject, track);
    this.pinned = true;
    this.origin = document.activeElement;
    this.unpin.hidden = false;
    say("Details are kept below the timeline");
    this.body.querySelector(".grouped button")?.focus();
  }

  #mark(mark, { turn, title }) {
    const who = mark.task >= 0 && mark.task !== mark.lane ? ` · by ${turn.lanes[mark.task].label}` : "";
    const when = mark.took < 0 ? `at ${duration(mark.start)}` : `${duration(mark.took)}, from ${duration(mark.start)} to ${duration(mark.end)}`;
    const state = [mark.failed ? "failed" : "", mark.unended ? "had not ended" : ""].filter(Boolean).join(", ");
    return [
      make("p", { class: "inspected-head" }, sample(mark.kind), make("b", {}, mark.kind), state ? make("b", { class: "warning" }, state) : null, make("span", {}, when), make("span", { class: "dim" }, `${title} · ${turn.lanes[mark.lane].label}${who}`)),
      mark.text ? make("pre", { class: "said" }, mark.text) : null,
      mark.stack.length ? stackList(mark.stack) : null,
    ];
  }

  #sign(sign, { turn, title, finding }) {
    const { kind, message } = finding(sign.finding);
    const other = together(sign, turn);
    return [
      make("p", { class: "inspected-head" }, make("span", { class: "badge" }, String(sign.finding + 1)), make("b", {}, kind), make("span", {}, `at ${duration(sign.at)}`), make("span", { class: "dim" }, `${title} · ${turn.lanes[sign.lane].label}${other ? `, with ${other}` : ""}`)),
      make("p", { class: "said" }, message),
    ];
  }

  /** Findings that have one sign together: each leads to its text. */
  #group({ signs, lane }, { turn, title, finding, follow }) {
    const line = (sign) => make("button", { type: "button", class: "plain", click: () => follow(sign.finding) }, `${sign.finding + 1} ${finding(sign.finding).kind} at ${duration(sign.at)}`);
    return [
      make("p", { class: "inspected-head" }, make("b", {}, plural(signs.length, "finding")), make("span", {}, `at ${duration(signs[0].at)} to ${duration(signs.at(-1).at)}`), make("span", { class: "dim" }, `${title} · ${turn.lanes[lane].label}`)),
      make("ul", { class: "grouped" }, signs.map((sign) => make("li", {}, line(sign)))),
    ];
  }
}

const BILLED = new Set(["invoice", "responses", "ledger"]); // said where the bill is

/** The records that are missing in what is drawn of a cell: what is not there was not seen, and may have been. */
function gapsLine(cell) {
  const gaps = cell.gaps.filter(([name]) => !BILLED.has(name));
  if (!gaps.length) return null;
  const reasons = [...new Set(gaps.map(([, reason]) => reason))];
  const said = reasons.map((reason) => `${gaps.filter((gap) => gap[1] === reason).map(([name]) => name).join(", ")} (${text(reason)})`);
  return make("p", { class: "warning" }, `Not recorded, so that the drawing lacks it: ${said.join("; ")}.`);
}

/** The same turn of a cell in another mode that the page does not have, and how to get it. */
function absentCompanion(place, number, turnNumber) {
  const [cell, own] = [RUN.cells[place], RUN.cells[number]];
  const link = make("a", { href: `#cell-${place}` }, cell.mode);
  if (turnNumber >= cell.total) return make("p", { class: "dim" }, link, ` has no turn ${turnNumber + 1}: it has ${plural(cell.total, "turn")}.`);
  return make("div", { class: "absent" }, make("p", { class: "dim" }, "For size, the same turn in ", link, " is not in this page. A page that has room for both:"), command(pageCommand([own, cell].map(nameOf))));
}

function legend(turns) {
  const kinds = [...new Set(RUN.marks)].filter((kind) => turns.some((turn) => turn.marks.some((mark) => mark.kind === kind)));
  const signs = turns.some((turn) => turn.signs.length);
  return make(
    "ul",
    { class: "legend", "aria-label": "What the marks mean" },
    kinds.map((kind) => make("li", {}, sample(kind), kind)),
    signs ? make("li", {}, make("span", { class: "badge small" }, "1"), "finding, linked to the access with which it is wrong together; of several in one place, how many") : null,
  );
}

/** The section with the timelines of a turn of a cell; `hooks` says where its findings are. */
function timelineSection(number, turnNumber, hooks) {
  const shown = companions(number).map((place) => ({ place, cell: RUN.cells[place], turn: detailOf(RUN.cells[place], turnNumber) }));
  const present = shown.filter(({ turn }) => turn !== null);
  const absent = shown.filter(({ turn }) => turn === null).map(({ place }) => place);
  const head = make("h2", { id: "timeline-title" }, "Timeline");
  if (absent.includes(number)) {
    return make(
      "section",
      { "aria-labelledby": "timeline-title" },
      head,
      gapsLine(RUN.cells[number]),
      make("p", { class: "dim" }, "For size, the timeline of this turn is not in this page; it is in run.json. A page about this cell alone has room for more:"),
      command(pageCommand([nameOf(RUN.cells[number])])),
    );
  }
  const moments = present.flatMap(({ turn }) => [turn.start, turn.end, turn.took, ...turn.signs.map((sign) => sign.at)]);
  const axis = new Axis(Math.min(...moments), Math.max(...moments));
  const inspector = new Inspector();
  const parts = present.map(({ place, cell, turn }) => {
    const here = place === number;
    const findings = here ? null : new Map(findingsOf(cell, turnNumber).map((finding) => [finding.number, finding]));
    const track = {
      turn,
      title: cell.mode,
      finding: here ? hooks.finding : (wanted) => findings.get(wanted),
      follow: (wanted) => (here ? hooks.follow(wanted) : hooks.leave(place, turnNumber, wanted)),
    };
    const timeline = new Timeline(turn, axis, cell.mode, {
      ...track,
      inspect: (subject) => inspector.show(subject, track),
      pin: (subject) => inspector.pin(subject, track),
      release: () => inspector.release(),
    });
    const name = here ? make("b", {}, cell.mode) : make("a", { href: `#cell-${place}-turn-${turnNumber + 1}` }, cell.mode);
    const left = timeline.plan.left ? ` · ${plural(timeline.plan.left, "mark")} more in the table` : "";
    return make(
      "div",
      { class: here ? "track own" : "track", "data-mode": cell.mode },
      make("p", { class: "track-head" }, outcomeBadge(cell), name, make("span", { class: "dim" }, `turn took ${duration(turn.took)}${left}`)),
      here ? null : gapsLine(cell),
      timeline.element,
      markTable(turn, cell.mode, track.finding),
    );
  });
  const tool = (label, sign, act) => make("button", { type: "button", "aria-label": label, title: label, click: act }, sign);
  const tools = make(
    "div",
    { class: "tools", role: "group", "aria-label": "Time axis" },
    tool("Earlier", "←", () => axis.pan(-0.25)),
    tool("Later", "→", () => axis.pan(0.25)),
    tool("Zoom in", "+", () => axis.zoom(1.6)),
    tool("Zoom out", "−", () => axis.zoom(1 / 1.6)),
    tool("Show the whole turn", "Whole", () => axis.reset()),
  );
  return make(
    "section",
    { "aria-labelledby": "timeline-title", class: "timeline" },
    make("div", { class: "timeline-head" }, head, present.length > 1 ? make("p", { class: "dim" }, "One axis: the same turn in each session mode.") : null, tools),
    gapsLine(RUN.cells[number]),
    parts,
    absent.map((place) => absentCompanion(place, number, turnNumber)),
    inspector.element,
    legend(present.map(({ turn }) => turn)),
  );
}
