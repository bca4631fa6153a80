// Findings: both accesses with their stacks, where tasks and session were made, the cause, the repair, the command.

const SOME_FINDINGS = 12; // of a cell, at first
const MORE_FINDINGS = 25;

const ORDER = {
  overlap: ["was in flight", "began meanwhile"],
  unordered: ["one of the two", "the other: nothing orders them"],
  bleed: ["wrote", "ended the transaction"],
  foreign_thread: ["the session's home", "used it in another thread"],
  foreign_loop: ["the session's home", "used it in another event loop"],
};

function accessColumn(access, order) {
  return make(
    "div",
    { class: "access" },
    make("h4", {}, make("code", {}, access.operation), ` of ${access.who}`, make("span", { class: "dim" }, ` ${order}`)),
    stackList(access.stack),
    access.created.length ? make("details", {}, make("summary", {}, "Where its task was created"), stackList(access.created)) : null,
  );
}

function raceParts(race) {
  const [first, second] = ORDER[race.kind] ?? ["first", "second"];
  return [
    make("div", { class: "accesses" }, accessColumn(race.accesses[0], first), accessColumn(race.accesses[1], second)),
    race.created.length ? make("details", {}, make("summary", {}, `Where ${race.subject} was made`), stackList(race.created)) : null,
    race.count > 1 ? make("p", { class: "dim" }, `These two places met ${race.count} times.`) : null,
  ];
}

/** Of several findings of one kind the first says why, and what to do. */
function whyParts(finding, first) {
  if (first !== finding) return [make("p", { class: "dim" }, `Cause, repair and command are those of finding ${first.number + 1}.`)];
  const [cause, repair] = RUN.kinds[finding.kind];
  return [facts([["Cause", text(cause)], ["Repair", text(repair)]], "why"), command(finding.command)];
}

function findingArticle(finding, first, show) {
  const id = `finding-${finding.number + 1}`;
  return make(
    "article",
    { class: finding.unexpected ? "finding unexpected" : "finding", id, tabindex: -1, "aria-labelledby": `${id}-title` },
    make(
      "h3",
      { id: `${id}-title` },
      make("span", { class: "badge" }, String(finding.number + 1)),
      make("span", { class: "kind" }, finding.kind),
      make("span", { class: "dim" }, finding.unexpected ? "unexpected" : "expected here"),
    ),
    make("p", { class: "said" }, finding.message),
    make(
      "p",
      { class: "dim where" },
      finding.where,
      finding.turn >= 0 ? make("button", { type: "button", class: "plain", click: () => show(finding) }, `Show turn ${finding.turn + 1}`) : null,
    ),
    finding.race === null ? (finding.stack.length ? stackList(finding.stack) : null) : raceParts(finding.race),
    whyParts(finding, first),
  );
}

/** The findings of a cell, some at a time. */
function findingsSection(cell, findings, show) {
  const total = Object.values(cell.counts).reduce((sum, count) => sum + count, 0);
  if (!total) return null;
  const list = make("div", { class: "findings" });
  const button = make("button", { type: "button" }, "");
  let shown = 0;
  const add = (count) => {
    const next = findings.slice(shown, shown + count);
    const first = (finding) => findings.find((other) => other.kind === finding.kind && other.command === finding.command);
    list.append(...next.map((finding) => findingArticle(finding, first(finding), show)));
    shown += next.length;
    button.textContent = `Show ${Math.min(MORE_FINDINGS, findings.length - shown)} more of ${findings.length}`;
    button.hidden = shown >= findings.length;
  };
  button.addEventListener("click", () => add(MORE_FINDINGS));
  add(SOME_FINDINGS);
  const section = make(
    "section",
    { "aria-labelledby": "findings-title" },
    make("h2", { id: "findings-title" }, "Findings ", make("span", { class: "count" }, String(total))),
    list,
    button,
    more(total - findings.length, "finding"),
  );
  const reach = (number) => {
    const place = findings.findIndex((finding) => finding.number === number);
    if (place >= shown) add(place - shown + 1);
    return byId(`finding-${number + 1}`);
  };
  return { section, reach };
}
