// The theme: that of the system, or the one that was chosen, which is kept where the browser allows it.

function startTheme() {
  const group = document.querySelector(".theme");
  const buttons = [...group.querySelectorAll("button")];
  const choose = (theme) => {
    document.documentElement.dataset.theme = theme;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.choose === theme));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      choose(button.dataset.choose);
      try {
        localStorage.setItem("sessionproof-theme", button.dataset.choose);
      } catch {
        // there is no storage here: the choice lasts as long as the page
      }
    });
  }
  try {
    const kept = localStorage.getItem("sessionproof-theme");
    if (buttons.some((button) => button.dataset.choose === kept)) choose(kept);
  } catch {
    // there is no storage here
  }
  group.hidden = false;
}
