// The bill of a turn: what the provider served, what the client received, what the ledger has, beside each other.

const SIDES = [
  ["invoice", "Provider's invoice", ["model", "prompt", "completion"]],
  ["client", "Client's responses", ["model", "prompt", "completion"]],
  ["ledger", "Ledger's rows", ["model", "prompt", "completion", "total", "prompt cost", "completion cost", "total cost", "status"]],
];

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
      const unlike = differs.has(`${side}.${column}`) || differs.has(side);
      const figure = place > 0 && column !== "status";
      const classes = [place === 0 ? "side" : "", figure ? "figure" : "", unlike ? "differs" : ""].filter(Boolean).join(" ");
      return make("td", { class: classes || null, title: unlike ? (index ? "differs from the provider's invoice" : "on no other side") : null }, unlike ? `≠ ${said[place]}` : said[place]);
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

/** Whether the sides say the same; nothing is said of sides that cannot be compared. */
function billCompared(bill) {
  const differences = [...bill.lines, bill.sums].reduce((sum, line) => sum + line[3].length, 0);
  if (differences) return `${plural(differences, "difference")}, marked ≠`;
  return bill.whole ? "No difference between the sides" : "Whether the sides differ is not known: not everything was recorded";
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
    make("p", { class: "dim" }, `${grain}; tokens, and costs in USD with all their digits. ${billCompared(bill)}. ${billed}.`),
    SIDES.filter(([side]) => missing.has(side)).map(([side, name]) => make("p", { class: "warning" }, `${name}: not recorded, ${text(missing.get(side))}`)),
    bill.lines.length || missing.size ? scrolled("Invoice, responses and rows", billTable(bill, missing)) : make("p", {}, "Nothing was served, received or written."),
    more(bill.left, "line"),
    cell.strayed
      ? make("details", {}, make("summary", {}, `${plural(cell.strayed, "row")} of no turn in this cell`), scrolled("Rows of no turn", table(["row", "session", "tenant/agent", "model", "tokens", "cost"], others)), more(cell.strayed - others.length, "row"))
      : null,
  );
}
