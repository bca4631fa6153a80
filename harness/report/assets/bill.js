// The bill of a turn: what the provider served, what the client received, what the ledger has, beside each other.

const SIDES = [
  ["invoice", "Provider's invoice", ["model", "prompt", "completion"]],
  ["client", "Client's responses", ["model", "prompt", "completion"]],
  ["ledger", "Ledger's rows", ["model", "prompt", "completion", "total", "prompt cost", "completion cost", "total cost", "status"]],
];

/** What a mark says, where it is not that the provider's invoice says something else. */
const MARKED = {
  "ledger.total": "is not the sum of prompt and completion",
  "ledger.prompt cost": "is no amount",
  "ledger.completion cost": "is no amount",
  "ledger.total cost": "is not the sum of prompt cost and completion cost",
  "ledger.status": "the turn was answered, and is to be complete",
  "ledger.rows": "one row is to bill the whole turn, if anything was served",
};

/** A line's cells; of a side that was not recorded nobody knows whether there was nothing. */
function billCells(line, missing) {
  const differs = new Set(line[3]);
  return SIDES.flatMap(([side, , columns], index) => {
    if (missing.has(side)) return [make("td", { colspan: columns.length, class: "side unrecorded" }, "not recorded")];
    const said = line[index].map(text);
    if (!said.length) {
      const lacking = differs.has(side);
      const label = lacking ? "≠ nothing here" : "";
      return [make("td", { colspan: columns.length, class: lacking ? "side differs" : "side nothing" }, label)];
    }
    return columns.map((column, place) => {
      // the first column of the sums says how many rows they are of
      const named = [`${side}.${column}`, ...(place ? [] : [`${side}.rows`])].find((name) => differs.has(name));
      const unlike = named !== undefined || differs.has(side);
      const why = MARKED[named] ?? (index ? "differs from the provider's invoice" : "on no other side");
      const figure = place > 0 && column !== "status";
      const classes = [place === 0 ? "side" : "", figure ? "figure" : "", unlike ? "differs" : ""].filter(Boolean).join(" ");
      return make("td", { class: classes || null, title: unlike ? why : null }, unlike ? `≠ ${said[place]}` : said[place]);
    });
  });
}

function billTable(bill, missing) {
  const row = (line) => {
    const cells = billCells(line, missing);
    if (line[4]) cells.push(make("td", { class: "dim" }, text(line[4])));
    return make("tr", {}, cells);
  };
  return make(
    "table",
    { class: "bill" },
    make("thead", {}, make("tr", {}, SIDES.map(([, name, columns]) => make("th", { scope: "colgroup", colspan: columns.length, class: "side" }, name))), make("tr", {}, SIDES.flatMap(([, , columns]) => columns.map((column, place) => make("th", { scope: "col", class: place ? "figure" : "side" }, column))))),
    make("tbody", {}, bill.lines.map(row)),
    make("tfoot", {}, row(bill.sums)),
  );
}

/** What was compared, and whether it is the same; nothing is said of sides that cannot be compared. */
function billCompared(bill, grain) {
  const differences = [...bill.lines, bill.sums].reduce((sum, line) => sum + line[3].length, 0);
  const others = bill.whole ? "" : "Whether there are more is not known: not everything was recorded. ";
  if (differences) return `${plural(differences, "difference")}, marked ≠. ${others}`;
  if (!bill.whole) return "Whether the sides differ is not known: not everything was recorded. ";
  const compared = grain === "turn" ? "Tokens, models, the number of rows, and sums" : "Tokens, models, and sums";
  return `${compared} are the same on all sides${bill.gaps ? ", as far as there is no NULL" : ""}. `;
}

/** What the check says that knows the prices, which the document has not. */
function billChecked(bill) {
  const count = bill.found.length;
  const numbers = bill.found.slice(0, SOME_FINDINGS).map((number) => number + 1).join(", ");
  const found = count ? `The ledger check has ${plural(count, "finding")} about this turn: ${numbers}${count > SOME_FINDINGS ? ", …" : ""}. ` : "";
  if (bill.check === "unknown") return `${found}The ledger check could not decide whether everything is billed, and at the right prices. `;
  if (found) return found;
  if (bill.check) return "The ledger check, which compares the costs with the prices, too, found nothing in this turn. ";
  return "Whether the prices are right nobody says: the ledger check did not run. ";
}

/** The section, for a turn; and the rows of the cell that belong to no turn. */
function billSection(cell, detail) {
  const { bill } = detail;
  const missing = new Map(bill.missing);
  const grain = cell.grain === "turn" ? "one row for the whole turn" : "one row for each response";
  const billed = detail.billed === "" ? "There is no answer that could name a row" : `The answer names ${detail.billed}`;
  const others = cell.others.map((row) => row.map(text));
  return make(
    "section",
    { "aria-labelledby": "bill-title" },
    make("h2", { id: "bill-title" }, "Ledger"),
    make("p", { class: "dim" }, `${grain}; tokens, and costs in USD with all their digits. ${bill.lines.length || missing.size ? billCompared(bill, cell.grain) : ""}${billChecked(bill)}${billed}.`),
    make("p", { class: "dim" }, "run.json has no prices for the invoice and the responses: what they cost is in the findings of the ledger check, where a cost is wrong."),
    SIDES.filter(([side]) => missing.has(side)).map(([side, name]) => make("p", { class: "warning" }, `${name}: not recorded, ${text(missing.get(side))}`)),
    bill.lines.length || missing.size ? scrolled("Invoice, responses and rows", billTable(bill, missing)) : make("p", {}, "Nothing was served, received or written."),
    more(bill.left, "line"),
    cell.strayed
      ? make("details", {}, make("summary", {}, `${plural(cell.strayed, "row")} of no turn in this cell`), scrolled("Rows of no turn", table(["row", "session", "tenant/agent", "model", "tokens", "cost"], others)), more(cell.strayed - others.length, "row"))
      : null,
  );
}
