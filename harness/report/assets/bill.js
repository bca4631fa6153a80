// The bill of a turn: what the provider served, what the client received, what the ledger has, beside each other.

const SIDES = [
  ["invoice", "Provider's invoice", ["model", "prompt", "completion"]],
  ["client", "Client's responses", ["model", "prompt", "completion"]],
  ["ledger", "Ledger's rows", ["model", "prompt", "completion", "total", "prompt cost", "completion cost", "total cost", "status"]],
];

function billCells(line) {
  const differs = new Set(line[3]);
  return SIDES.flatMap(([side, name, columns], index) => {
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
      return make("td", { class: classes || null, title: unlike ? `differs from the ${name.toLowerCase()} side` : null }, unlike ? `≠ ${said[place]}` : said[place]);
    });
  });
}

function billTable(bill) {
  const row = (line, attributes = {}) => {
    const cells = billCells(line);
    if (line[4]) cells.push(make("td", { class: "dim" }, text(line[4])));
    return make("tr", attributes, cells);
  };
  return make(
    "table",
    { class: "bill" },
    make("thead", {}, make("tr", {}, SIDES.map(([, name, columns]) => make("th", { scope: "colgroup", colspan: columns.length, class: "side" }, name))), make("tr", {}, SIDES.flatMap(([, , columns]) => columns.map((column, place) => make("th", { scope: "col", class: place ? "figure" : "side" }, column))))),
    make("tbody", {}, bill.lines.map((line) => row(line))),
    make("tfoot", {}, row(bill.sums)),
  );
}

/** The section, for a turn; and the rows of the cell that belong to no turn. */
function billSection(cell, detail) {
  const { bill } = detail;
  const differences = [...bill.lines, bill.sums].reduce((sum, line) => sum + line[3].length, 0);
  const grain = cell.grain === "turn" ? "one row for the whole turn" : "one row for each response";
  const others = cell.others.map((row) => row.map(text));
  return make(
    "section",
    { "aria-labelledby": "bill-title" },
    make("h3", { id: "bill-title" }, "Ledger"),
    make("p", { class: "dim" }, `${grain}; tokens, and costs in USD with all their digits. ${differences ? `${plural(differences, "difference")}, marked ≠` : "No difference between the sides"}. The answer names ${detail.billed || "no answer, no row"}.`),
    bill.missing.map((reason) => make("p", { class: "warning" }, `Not recorded: ${text(reason)}`)),
    bill.lines.length ? scrolled("Invoice, responses and rows", billTable(bill)) : make("p", {}, "Nothing was served, received or written."),
    bill.left ? make("p", { class: "dim" }, `and ${plural(bill.left, "line")} more, in run.json`) : null,
    others.length
      ? make("details", {}, make("summary", {}, `${plural(cell.strayed, "row")} of no turn in this cell`), scrolled("Rows of no turn", table(["row", "session", "tenant/agent", "model", "tokens", "cost"], others)))
      : null,
  );
}
