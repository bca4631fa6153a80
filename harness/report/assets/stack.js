// Stacks, with the application's own lines where the run kept them.

/** The lines around the place of a frame; nothing if they were not kept. */
function excerpt(frame) {
  const found = RUN.excerpts.get(frame);
  if (found === undefined) return null;
  const [, first, line, lines] = found;
  return make(
    "pre",
    { class: "source", tabindex: 0 }, // it may scroll
    lines.map((number, index) => {
      const here = first + index === line;
      return make("span", { class: here ? "line here" : "line" }, make("i", {}, `${here ? "▸" : " "}${String(first + index).padStart(5)} `), make("span", {}, text(number)), "\n");
    }),
  );
}

/** The frames, innermost last and with its lines; those of the others can be opened. */
function stackList(frames) {
  if (!frames.length) return make("p", { class: "dim" }, "No frame of the application is known.");
  return make(
    "ol",
    { class: "stack" },
    frames.map((frame, index) => {
      const lines = excerpt(frame);
      const said = make("code", {}, frame);
      if (lines === null) return make("li", {}, said);
      if (index === frames.length - 1) return make("li", {}, said, lines);
      return make("li", {}, make("details", {}, make("summary", {}, said), lines));
    }),
  );
}
