// Buttons that copy the command beside them.

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { readonly: true, class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function startCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest(".copy") : null;
    if (button === null) return;
    const done = await copyText(button.parentElement.querySelector("code").textContent);
    button.focus();
    button.textContent = done ? "Copied" : "Not copied";
    say(done ? "Copied" : "The browser does not allow copying; select the command and copy it");
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1600);
  });
  for (const button of document.querySelectorAll(".copy")) button.hidden = false;
}
