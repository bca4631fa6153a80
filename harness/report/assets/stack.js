// Stacks, with the application's own lines where they could be read when the report was written.

const PLACE = /^(.{1,1000}?:[0-9]{1,7}) in /su;

/** The lines around a frame's place; nothing if they were not read. */
function excerpt(frame) {
  const place = PLACE.exec(frame)?.[1];
  const found = place === undefined ? undefined : RUN.sources[place];
  if (found === undefined) return null;
  const [first, lines] = found;
  const line = Number(place.slice(place.lastIndexOf(":") + 1));
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
