// Which view is shown: the address says it, `#cell-12` or `#cell-12-turn-3`, so that views can be linked to.

const VIEW = /^#cell-([0-9]+)(?:-turn-([0-9]+))?$/u;

function startViews() {
  const overview = byId("content");
  const view = byId("cell");
  const title = document.title;
  let waiting = null;
  let place = 0;

  const leave = (cell, turn, finding) => {
    waiting = finding;
    const hash = turn === null || turn < 0 ? `#cell-${cell}` : `#cell-${cell}-turn-${turn + 1}`;
    if (location.hash === hash) show();
    else location.hash = hash;
  };

  function show() {
    const [, cell, turn] = VIEW.exec(location.hash) ?? [];
    const number = Number(cell);
    if (cell === undefined || !(number in RUN.cells)) {
      const back = overview.hidden;
      view.hidden = true;
      view.replaceChildren();
      overview.hidden = false;
      document.title = title;
      if (back) {
        window.scrollTo(0, place);
        overview.focus({ preventScroll: true });
      }
      return;
    }
    if (!overview.hidden) place = window.scrollY;
    const made = cellView(number, turn === undefined ? null : Math.min(Number(turn), RUN.cells[number].turns.length) - 1, leave);
    overview.hidden = true;
    view.replaceChildren(...made.nodes);
    view.hidden = false;
    const { scenario, mode, pool, tier } = RUN.cells[number];
    document.title = `${text(scenario)}, ${mode} ${pool} ${tier} · sessionproof`;
    const target = waiting === null ? (turn === undefined ? null : byId("turn-title")) : made.reach(waiting);
    waiting = null;
    if (target) {
      target.focus({ preventScroll: true });
      target.scrollIntoView();
    } else {
      window.scrollTo(0, 0);
      view.focus({ preventScroll: true });
    }
  }

  window.addEventListener("hashchange", show);
  show();
}

async function start() {
  startTheme();
  startCopying();
  startFilters();
  try {
    await unpack(byId("data").textContent);
  } catch (error) {
    byId("content").prepend(make("p", { class: "warning" }, `This browser cannot unpack the page's data (${error.name}), so that cells cannot be shown. Everything is in run.json.`));
    return;
  }
  startViews();
  document.documentElement.dataset.ready = "yes";
}

start();
