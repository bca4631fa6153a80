// A cell: how it came out, its turns, the timeline of one of them, its findings, and the bill.

const SYMBOLS = { passed: "✓", reproduced: "◆", FAILED: "✕", UNKNOWN: "?" };

function outcomeBadge(cell) {
  return make("span", { class: `chip ${cell.outcome.toLowerCase()}` }, make("b", { "aria-hidden": "true" }, SYMBOLS[cell.outcome] ?? ""), ` ${cell.outcome}`);
}

function cellHead(cell, number) {
  const kinds = Object.entries(cell.counts).map(([kind, count]) => (count > 1 ? `${kind} (${count})` : kind));
  const undecided = cell.checks.filter(([, verdict]) => verdict === "unknown");
  const beside = (place, label) => (RUN.cells[place] ? make("a", { href: `#cell-${place}` }, label) : null);
  return make(
    "header",
    { class: "cell-head" },
    make("p", { class: "crumbs" }, make("a", { href: "#matrix" }, "All cells"), beside(number - 1, "Previous cell"), beside(number + 1, "Next cell")),
    make("h1", { id: "cell-title" }, text(cell.scenario)),
    make("p", { class: "scope" }, text(cell.question)),
    make("p", { class: "which" }, outcomeBadge(cell), make("code", {}, `${cell.mode} · ${cell.pool} pool · ${cell.tier}`)),
    facts([
      ["Expected", cell.expected === "clean" ? "clean: nothing may be found" : "reproduced: the bug must show"],
      ["Found", kinds.join(", ") || (undecided.length ? `nothing, but what ${undecided.map(([name]) => text(name)).join(", ")} asked could not be decided` : "nothing")],
      ["Fault", text(cell.fault)],
      ["Damage", text(cell.damage)],
      ["Took", `${cell.seconds.toFixed(2)} s, and ${cell.clone.toFixed(2)} s for its database`],
    ]),
    cell.objections.length ? make("ul", { class: "objections" }, cell.objections.map((each) => make("li", {}, text(each)))) : null,
    command(text(cell.command)),
  );
}

function checksSection(cell) {
  const words = { passed: "✓ passed", failed: "✕ found something", unknown: "? could not decide" };
  const rows = cell.checks.map(([name, verdict, reason, notes]) => [
    make("code", {}, text(name)),
    make("span", { class: `verdict-${verdict}` }, words[verdict]),
    [text(reason), ...notes.map(text)].filter(Boolean).join("; "),
  ]);
  return make(
    "section",
    { "aria-labelledby": "checks-title" },
    make("h2", { id: "checks-title" }, "Checks"),
    scrolled("Verdicts of the checks", table(["check", "verdict", "notes"], rows, { class: "checks" })),
    more(cell.unchecked, "check"),
    facts(cell.also.map(([name, said]) => [text(name), text(said)])),
    cell.gaps.length ? make("details", {}, make("summary", {}, `${plural(cell.gaps.length, "record")} that nobody made`), facts(cell.gaps.map(([name, reason]) => [name, text(reason)]))) : null,
    cell.notes.length ? make("ul", { class: "remarks" }, cell.notes.map((note) => make("li", {}, text(note)))) : null,
  );
}

function choicesSection(cell) {
  if (!cell.choices.length) return null;
  return make(
    "section",
    { "aria-labelledby": "choices-of-cell" },
    make("h2", { id: "choices-of-cell" }, "What the model did"),
    facts(cell.choices.map(([name, value]) => [text(name), text(value)])),
  );
}

function turnHead(turn, detail, total) {
  const pairs = [["Turn", `${turn.number + 1} of ${total}, ${turn.id}`], ["Sent to", turn.who], ["Ended", `${turn.state} after ${duration(turn.took)}`]];
  if (detail !== null) {
    pairs.push(["Message", text(detail.message)], ["Answer", text(detail.answer)], ["Error", text(detail.error)]);
  }
  const stuck = detail?.stuck ?? [];
  return make(
    "section",
    { "aria-labelledby": "turn-title" },
    make("h2", { id: "turn-title", tabindex: -1 }, `Turn ${turn.number + 1}`),
    facts(pairs.slice(total > 1 ? 0 : 1)),
    stuck.map(([name, stack]) => make("div", {}, make("h3", {}, "Still running: ", make("code", {}, text(name))), stackList(stackOf(stack)))),
  );
}

/** A cell that the page has no room for. */
function absentView(number) {
  if (number >= RUN.cells.length + RUN.missing) {
    return [
      make("p", { class: "crumbs" }, make("a", { href: "#matrix" }, "All cells")),
      make("h1", { id: "cell-title" }, `No cell ${number + 1}`),
      make("p", {}, `This run has ${RUN.cells.length + RUN.missing} cells: the address is of another run.`),
    ];
  }
  const chip = document.querySelector(`.squares a[href="#cell-${number}"]`);
  const name = chip === null ? "SCENARIO/MODE-POOL-TIER" : `${chip.closest("tr").dataset.name}/${chip.dataset.mode}-${chip.dataset.pool}-${chip.dataset.tier}`;
  return [
    make("p", { class: "crumbs" }, make("a", { href: "#matrix" }, "All cells")),
    make("h1", { id: "cell-title" }, `Cell ${number + 1}`),
    make("p", {}, "For size, this cell is not in this page; it is in run.json. A page about it alone:"),
    command(pageCommand([name])),
  ];
}

/** Everything about a cell, with one of its turns. */
function cellView(number, wanted, leave) {
  const cell = RUN.cells[number];
  const turns = turnsOf(cell);
  const shownTurn = wanted ?? turns.find((turn) => turn.kept && turn.findings)?.number ?? turns.find((turn) => turn.kept)?.number ?? 0;
  const findings = findingsOf(cell, shownTurn);
  const byNumber = new Map(findings.map((finding) => [finding.number, finding]));
  const href = (turn) => `#cell-${number}-turn-${turn + 1}`;
  const show = (finding) => leave(number, finding.turn, null);
  const list = findingsSection(cell, findings, show);
  const hooks = {
    finding: (each) => byNumber.get(each),
    follow: (each) => list.reach(each).focus(),
    leave,
  };
  const turn = turns[shownTurn];
  const detail = turn === undefined ? null : detailOf(cell, shownTurn);
  const nodes = [
    cellHead(cell, number),
    turns.length > 1 ? turnsSection(turns, cell.total, shownTurn, href) : null,
    turn === undefined ? null : turnHead(turn, detail, cell.total),
    turn === undefined ? null : timelineSection(number, shownTurn, hooks),
    list === null ? null : list.section,
    choicesSection(cell),
    detail === null ? null : billSection(cell, detail),
    checksSection(cell),
  ];
  return { nodes: nodes.filter(Boolean), reach: (each) => list?.reach(each) };
}
