// Which view is shown: the address says it, `#cell-12` or `#cell-12-turn-3`, so that views can be linked to.

const VIEW = /^#cell-([0-9]+)(?:-turn-([0-9]+))?$/u;

function startViews() {
  const overview = byId("content");
  const view = byId("cell");
  const title = document.title;
  let waiting = null;
  let place = 0;
  let followed = null;

  const leave = (cell, turn, finding) => {
    waiting = finding;
    const hash = turn === null || turn < 0 ? `#cell-${cell}` : `#cell-${cell}-turn-${turn + 1}`;
    if (location.hash === hash) show();
    else location.hash = hash;
  };

  function viewOf(number, turn) {
    const cell = RUN.cells[number] ?? null;
    if (cell === null) return { nodes: absentView(number), title: `Cell ${number + 1}`, reach: () => null };
    const wanted = turn === undefined ? null : Math.max(0, Math.min(Number(turn), cell.turns.length) - 1);
    return { ...cellView(number, wanted, leave), title: `${text(cell.scenario)}, ${cell.mode} ${cell.pool} ${cell.tier}` };
  }

  /** The link that skips the head of the page goes to what is shown, and leaves the address alone. */
  document.querySelector(".skip").addEventListener("click", (event) => {
    const shown = overview.hidden ? view : overview;
    event.preventDefault();
    shown.focus({ preventScroll: true });
    shown.scrollIntoView();
  });

  function show() {
    const [, cell, turn] = VIEW.exec(location.hash) ?? [];
    const number = Number(cell);
    if (cell === undefined) {
      const back = overview.hidden;
      view.hidden = true;
      view.replaceChildren();
      overview.hidden = false;
      document.title = title;
      if (back) {
        window.scrollTo(0, place);
        const home = followed !== null && followed.checkVisibility() ? followed : overview;
        home.focus({ preventScroll: true });
      }
      return;
    }
    if (!overview.hidden) {
      place = window.scrollY;
      const links = [...overview.querySelectorAll(`a[href="#cell-${number}"]`)];
      followed = links.find((link) => link === document.activeElement) ?? links.find((link) => link.matches(".squares a, .damage a")) ?? links[0] ?? null;
    }
    const made = viewOf(number, turn);
    overview.hidden = true;
    view.replaceChildren(...made.nodes);
    view.hidden = false;
    document.title = `${made.title} · sessionproof`;
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
