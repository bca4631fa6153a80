// The turns of a cell: what all of them amount to first, then page by page.

const TURNS_PAGE = 25;

/** A count; `null` if the record is missing that it would be counted from. */
const counted = (count) => (count === null ? "not recorded" : count.toLocaleString("en"));

/** The tools of some turns in words, with how many failed. */
const toolsSaid = (tools, failed) => (tools === null || !failed ? counted(tools) : `${counted(failed)} of ${counted(tools)} failed`);

function spread(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { least: sorted[0], middle: at(0.5), high: at(0.95), most: sorted.at(-1) };
}

/** How many turns took how long, as bars with the counts in words. */
function histogram(turns) {
  const took = turns.map((turn) => turn.took);
  const { least, most } = spread(took);
  const places = Math.min(24, Math.max(4, Math.ceil(Math.sqrt(turns.length))));
  const width = (most - least) / places || 1;
  const counts = Array.from({ length: places }, () => 0);
  for (const each of took) counts[Math.min(places - 1, Math.floor((each - least) / width))] += 1;
  const highest = Math.max(...counts);
  return draw(
    "svg",
    { class: "histogram", viewBox: `0 0 ${places * 10} 44`, role: "img", "aria-label": `Durations from ${duration(least)} to ${duration(most)}: ${counts.join(", ")} turns, in ${places} steps` },
    counts.map((count, place) => draw("rect", { x: place * 10 + 1, width: 8, y: 44 - (42 * count) / highest, height: (42 * count) / highest })),
  );
}

function aggregates(turns) {
  const { least, middle, high, most } = spread(turns.map((turn) => turn.took));
  const states = new Map();
  for (const { state } of turns) states.set(state, (states.get(state) ?? 0) + 1);
  const sum = (name) => turns.reduce((total, turn) => (total === null || turn[name] === null ? null : total + turn[name]), 0);
  return make(
    "div",
    { class: "aggregates" },
    facts([
      ["Turns", [...states].map(([state, count]) => `${count.toLocaleString("en")} ${state}`).join(", ")],
      ["Took", `median ${duration(middle)}; ${duration(least)} to ${duration(most)}; 95 % within ${duration(high)}`],
      ["Tool calls", toolsSaid(sum("tools"), sum("failed"))],
      ["Statements", counted(sum("statements"))],
      ["With findings", turns.filter((turn) => turn.findings).length.toLocaleString("en")],
    ]),
    histogram(turns),
  );
}

const SORTS = {
  "in their order": (one, other) => one.number - other.number,
  "longest first": (one, other) => other.took - one.took || one.number - other.number,
  "most findings first": (one, other) => other.findings - one.findings || one.number - other.number,
};

/** The list; there are `total`, `href` gives a turn's link, `current` is the one that is shown. */
function turnsSection(turns, total, current, href) {
  let sorted = [...turns];
  let page = Math.floor(current / TURNS_PAGE);
  const pages = Math.ceil(turns.length / TURNS_PAGE);
  const place = make("div", {});
  const where = make("span", { class: "dim" });
  const back = make("button", { type: "button", click: () => go(page - 1) }, "Previous");
  const next = make("button", { type: "button", click: () => go(page + 1) }, "Next");
  const sort = make("select", { change: () => { sorted = [...turns].sort(SORTS[sort.value]); go(0); } }, Object.keys(SORTS).map((name) => make("option", {}, name)));
  const longest = Math.max(...turns.map((turn) => turn.took), 1);

  function row(turn) {
    const bar = draw("svg", { class: "took-bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, draw("rect", { width: (100 * turn.took) / longest, height: 8 }));
    const link = turn.kept
      ? make("a", { href: href(turn.number), "aria-current": turn.number === current ? "true" : null }, `Turn ${turn.number + 1}`)
      : make("span", { title: "its timeline is not in this page" }, `Turn ${turn.number + 1}`);
    return [link, turn.who, turn.state, turn.parallel ? "together" : "one by one", make("span", { class: "took" }, bar, duration(turn.took)), toolsSaid(turn.tools, turn.failed), counted(turn.statements), turn.findings ? String(turn.findings) : ""];
  }

  function go(to) {
    page = Math.min(Math.max(to, 0), pages - 1);
    const shown = sorted.slice(page * TURNS_PAGE, (page + 1) * TURNS_PAGE);
    place.replaceChildren(scrolled("Turns", table(["turn", "tenant/agent", "ended", "tools called", "took", "tools", "statements", "findings"], shown.map(row), { class: "turns" })));
    where.textContent = `${(page * TURNS_PAGE + 1).toLocaleString("en")} to ${(page * TURNS_PAGE + shown.length).toLocaleString("en")} of ${turns.length.toLocaleString("en")}`;
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  go(page);
  const left = turns.filter((turn) => !turn.kept).length;
  return make(
    "section",
    { "aria-labelledby": "turns-title" },
    make("h2", { id: "turns-title" }, "Turns ", make("span", { class: "count" }, total.toLocaleString("en"))),
    total > turns.length ? make("p", { class: "warning" }, `For size, ${plural(total - turns.length, "turn")} are not in this page, and not in what follows; they are in run.json.`) : null,
    aggregates(turns),
    left ? make("p", { class: "dim" }, `For size, the timelines of ${plural(left, "turn")} are not in this page; they are in run.json.`) : null,
    make("div", { class: "pager" }, make("label", {}, "Sorted ", sort), pages > 1 ? [back, next] : null, where),
    place,
  );
}
