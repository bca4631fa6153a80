// The matrix and the table of faults, narrowed down to what is looked for.

function startFilters() {
  const form = document.querySelector(".filters");
  if (form === null) return;
  const rows = [...document.querySelectorAll("[data-filtered] tbody tr")].map((row) => ({
    row,
    name: row.dataset.name.toLowerCase(),
    chips: [...row.querySelectorAll("a.chip")],
  }));
  const isCell = (chip) => chip.getAttribute("href").startsWith("#cell-");
  const total = rows.reduce((sum, { chips }) => sum + chips.filter(isCell).length, 0);

  // what was not verified was not in any pool state and with any model: there it fits whatever is wanted
  const fits = (chip, wanted) => Object.entries(wanted).every(([name, value]) => !value || !chip.dataset[name] || chip.dataset[name] === value);

  const apply = () => {
    const { text: name = "", ...wanted } = Object.fromEntries(new FormData(form));
    const narrowed = Object.values(wanted).some(Boolean);
    let shown = 0;
    let gaps = 0;
    for (const entry of rows) {
      const named = entry.name.includes(name.trim().toLowerCase());
      let left = 0;
      let cells = 0;
      for (const chip of entry.chips) {
        const stays = named && fits(chip, wanted);
        chip.hidden = !stays;
        const figures = chip.nextElementSibling;
        if (figures !== null && figures.classList.contains("figures")) figures.hidden = !stays;
        left += stays;
        cells += stays && isCell(chip);
        gaps += stays && !isCell(chip);
      }
      entry.row.hidden = !named || (narrowed && !left);
      shown += cells;
    }
    const said = shown === total ? plural(total, "cell") : `${shown} of ${plural(total, "cell")}`;
    form.querySelector("output").textContent = gaps ? `${said}, ${gaps} not verified` : said;
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault(); // the event comes before the form is reset
    for (const field of form.querySelectorAll("input, select")) field.value = "";
    apply();
  });
  form.hidden = false;
  apply();
}
