// A turn's timeline, with those of the same scenario in other session modes below it, on one axis.

const TABLE_PAGE = 100;

/** The cells to show together: this one, and its scenario's `shared` and `per_operation` in the same pool and tier. */
function companions(number) {
  const cell = RUN.cells[number];
  const alike = (other) => ["scenario", "pool", "tier", "fault"].every((name) => RUN.cells[other][name] === cell[name]);
  const wanted = new Set(["shared", cell.mode, "per_operation"]);
  const found = [...wanted].map((mode) =>
    mode === cell.mode ? number : RUN.cells.findIndex((other, place) => other.mode === mode && alike(place)),
  );
  return found.filter((place) => place >= 0);
}

/** The turn's marks as a table, with everything that the drawing has. */
function markTable(turn, title) {
  const rows = turn.marks.map((mark) => {
    const state = [mark.failed ? "failed" : "", mark.unended ? "not ended" : ""].filter(Boolean).join(", ");
    const who = mark.task >= 0 && mark.task !== mark.lane ? turn.lanes[mark.task].label : "";
    return [(mark.start / 1000).toFixed(3), mark.took < 0 ? "" : (mark.took / 1000).toFixed(3), mark.kind, turn.lanes[mark.lane].label, who, state, mark.text, mark.stack.at(-1) ?? ""];
  });
  for (const sign of turn.signs) {
    const lane = turn.lanes[sign.lane].label;
    const other = sign.firstLane === null ? "" : turn.lanes[sign.firstLane].label;
    rows.push([(sign.at / 1000).toFixed(3), "", `finding ${sign.finding + 1}`, lane, other, "", "", ""]);
  }
  rows.sort((one, other) => Number(one[0]) - Number(other[0]));
  const pages = Math.ceil(rows.length / TABLE_PAGE);
  const place = make("div", {});
  const go = (page) => {
    const shown = rows.slice(page * TABLE_PAGE, (page + 1) * TABLE_PAGE);
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

/** What is looked at, in full: hovered or focused; pinned by a click or the enter key. */
class Inspector {
  constructor(finding) {
    this.finding = finding;
    this.pinned = false;
    this.body = make("div", { class: "inspected" });
    this.unpin = make("button", { type: "button", class: "plain", hidden: true, click: () => this.release() }, "Unpin");
    this.element = make("section", { class: "inspector", "aria-label": "Details" }, this.unpin, this.body);
    this.release();
  }

  release() {
    this.pinned = false;
    this.unpin.hidden = true;
    this.element.classList.remove("at-work");
    this.body.replaceChildren(make("p", { class: "dim" }, "Point at a mark, or go to it with the tab and arrow keys. A click or the enter key keeps its details here."));
  }

  show(subject, turn, title) {
    this.element.classList.add("at-work");
    if (!this.pinned) this.body.replaceChildren(...("finding" in subject ? this.#sign(subject, turn, title) : this.#mark(subject, turn, title)));
  }

  pin(subject, turn, title) {
    this.pinned = false;
    this.show(subject, turn, title);
    this.pinned = true;
    this.unpin.hidden = false;
    say("Details are kept below the timeline");
  }

  #mark(mark, turn, title) {
    const who = mark.task >= 0 && mark.task !== mark.lane ? ` · by ${turn.lanes[mark.task].label}` : "";
    const when = mark.took < 0 ? `at ${duration(mark.start)}` : `${duration(mark.took)}, from ${duration(mark.start)} to ${duration(mark.end)}`;
    const state = [mark.failed ? "failed" : "", mark.unended ? "had not ended" : ""].filter(Boolean).join(", ");
    return [
      make("p", { class: "inspected-head" }, sample(mark.kind), make("b", {}, mark.kind), state ? make("b", { class: "warning" }, state) : null, make("span", {}, when), make("span", { class: "dim" }, `${title} · ${turn.lanes[mark.lane].label}${who}`)),
      mark.text ? make("pre", { class: "said" }, mark.text) : null,
      mark.stack.length ? stackList(mark.stack) : null,
    ].filter(Boolean);
  }

  #sign(sign, turn, title) {
    const finding = this.finding(sign.finding);
    const other = sign.firstLane === null ? "" : `, with ${turn.lanes[sign.firstLane].label} at ${duration(sign.first)}${sign.exact ? "" : " (its last recorded moment before)"}`;
    return [
      make("p", { class: "inspected-head" }, make("span", { class: "badge" }, String(sign.finding + 1)), make("b", {}, finding?.kind ?? "finding"), make("span", {}, `at ${duration(sign.at)}`), make("span", { class: "dim" }, `${title} · ${turn.lanes[sign.lane].label}${other}`)),
      finding ? make("p", { class: "said" }, finding.message) : null,
    ].filter(Boolean);
  }
}

function legend(turns) {
  const kinds = [...new Set(RUN.marks)].filter((kind) => turns.some((turn) => turn.marks.some((mark) => mark.kind === kind)));
  const signs = turns.some((turn) => turn.signs.length);
  return make(
    "ul",
    { class: "legend", "aria-label": "What the marks mean" },
    kinds.map((kind) => make("li", {}, sample(kind), kind)),
    signs ? make("li", {}, make("span", { class: "badge small" }, "1"), "finding, linked to the access with which it is wrong together") : null,
  );
}

/** The section with the timelines of a turn of a cell; `hooks` says where its findings are. */
function timelineSection(number, turnNumber, hooks) {
  const shown = companions(number).map((place) => ({ place, cell: RUN.cells[place], turn: detailOf(RUN.cells[place], turnNumber) }));
  const present = shown.filter(({ turn }) => turn !== null);
  const head = make("h3", { id: "timeline-title" }, "Timeline");
  if (!present.some(({ place }) => place === number)) {
    return make("section", { "aria-labelledby": "timeline-title" }, head, make("p", { class: "dim" }, "For size, the timeline of this turn is not in this page; it is in run.json."));
  }
  const axis = new Axis(Math.min(...present.map(({ turn }) => turn.start)), Math.max(...present.map(({ turn }) => Math.max(turn.end, turn.took))));
  const inspector = new Inspector(hooks.finding);
  const parts = present.map(({ place, cell, turn }) => {
    const here = place === number;
    const finding = here ? hooks.finding : (wanted) => findingsOf(cell).find((each) => each.number === wanted);
    const timeline = new Timeline(turn, axis, cell.mode, {
      finding,
      inspect: (subject, of, title) => {
        inspector.finding = finding;
        inspector.show(subject, of, title);
      },
      pin: (subject, of, title) => {
        inspector.finding = finding;
        inspector.pin(subject, of, title);
      },
      follow: (wanted) => (here ? hooks.follow(wanted) : hooks.leave(place, turnNumber, wanted)),
      release: () => inspector.release(),
    });
    const name = here ? make("b", {}, cell.mode) : make("a", { href: `#cell-${place}-turn-${turnNumber + 1}` }, cell.mode);
    const left = timeline.plan.left ? ` · ${plural(timeline.plan.left, "mark")} more in the table` : "";
    return make(
      "div",
      { class: here ? "track own" : "track", "data-mode": cell.mode },
      make("p", { class: "track-head" }, outcomeBadge(cell), name, make("span", { class: "dim" }, `turn took ${duration(turn.took)}${left}`)),
      timeline.element,
      markTable(turn, cell.mode),
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
    parts,
    inspector.element,
    legend(present.map(({ turn }) => turn)),
  );
}
