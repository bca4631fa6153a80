// One turn, drawn: lanes from left to right along an axis that it shares with the turns it is compared with.

const AXIS_HEIGHT = 22;
let drawings = 0;

class Timeline {
  /** `hooks` has `inspect(subject)` and `pin(subject)` for what is looked at, `finding(number)` and `follow(number)`. */
  constructor(turn, axis, title, hooks) {
    Object.assign(this, { turn, axis, title, hooks });
    this.id = `timeline-${(drawings += 1)}`;
    this.plan = layOut(turn);
    this.width = 0;
    this.items = []; // marks and signs, by lane and moment
    this.groups = []; // signs of several findings, as long as these would lie on each other
    this.element = this.#build();
    axis.watch(() => this.#place());
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
  }

  #build() {
    const { lanes, height } = this.plan;
    const labels = make("div", { class: "labels", "aria-hidden": "true" });
    this.ground = draw("g", { class: "ground" });
    this.ticks = draw("g", { class: "ticks" });
    this.shapes = draw("g", {});
    this.links = draw("g", { class: "links" });
    this.signs = draw("g", {});
    for (const lane of lanes) {
      const label = make("div", { class: `label lane-${lane.kind}`, title: lane.label }, lane.label);
      label.style.height = `${lane.height}px`;
      labels.append(label);
      this.ground.append(draw("rect", { x: 0, y: lane.top + AXIS_HEIGHT, width: "100%", height: lane.height, class: lane.number % 2 ? "odd" : "even" }));
    }
    const svg = draw(
      "svg",
      { height: height + AXIS_HEIGHT, role: "group", "aria-label": `Timeline of ${this.title}: ${plural(lanes.length, "lane")}, ${plural(this.turn.marks.length, "mark")}. Arrow keys move between marks, plus and minus zoom, shift and arrow keys move the axis.` },
      hatchings(this.id),
      this.ground,
      this.ticks,
      this.shapes,
      this.links,
      this.signs,
    );
    for (const lane of lanes) this.#fill(lane);
    for (const sign of this.turn.signs) this.#link(sign);
    this.items.sort(inOrder);
    if (this.items.length) this.items[0].element.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => this.#key(event));
    this.canvas = make("div", { class: "canvas" }, svg);
    this.svg = svg;
    this.#drag();
    return make("div", { class: "lanes" }, labels, this.canvas);
  }

  /** The marks of a lane, frames first, so that they lie behind the others. */
  #fill(lane) {
    for (const { mark } of lane.frames) {
      const rect = draw("rect", { y: lane.top + AXIS_HEIGHT + 2, height: lane.height - 4, rx: 3, class: "frame-shape" });
      this.#add(mark, lane, [rect], (x, width) => dress(rect, { x, width }));
    }
    for (const { mark, y } of lane.bars) {
      const parts = [draw("rect", { y: y + AXIS_HEIGHT, height: BAR_HEIGHT, rx: 2, class: "bar-shape" })];
      const kind = slug(mark.kind);
      if (mark.kind in HATCHES) {
        parts.push(draw("rect", { y: y + AXIS_HEIGHT, height: BAR_HEIGHT, rx: 2, fill: `url(#${this.id}-${kind})` }));
      }
      this.#add(mark, lane, parts, (x, width) => parts.forEach((part) => dress(part, { x, width })));
    }
    for (const { mark } of lane.glyphs) {
      const group = draw("g", {}, glyph(mark.kind));
      this.#add(mark, lane, [group], (x) => dress(group, { transform: `translate(${x} ${lane.glyphY + AXIS_HEIGHT})` }));
    }
  }

  #add(mark, lane, parts, place) {
    const state = `${mark.failed ? " failed" : ""}${mark.unended ? " unended" : ""}`;
    const element = draw(
      "g",
      { class: `mark k-${slug(mark.kind)}${state}`, role: "button", tabindex: -1, "aria-label": sentence(mark, this.turn), "data-kind": mark.kind, "data-start": mark.start, "data-took": mark.took, "data-lane": lane.number },
      parts,
    );
    const item = { element, lane: lane.number, at: mark.start, end: mark.end, place, subject: mark };
    this.#listen(item);
    this.items.push(item);
    this.shapes.append(element);
  }

  /** A finding: its number where it was seen, and a line from the access with which it is wrong together. */
  #link(sign) {
    const lane = this.plan.lanes[sign.lane];
    const first = sign.firstLane === null ? null : this.plan.lanes[sign.firstLane];
    const badge = draw("g", {}, draw("circle", { r: 8 }), draw("text", { "text-anchor": "middle", y: 3.8 }, String(sign.finding + 1)));
    const ring = first === null ? null : draw("circle", { r: 4, class: "ring" });
    const line = first === null ? null : draw("path", { class: sign.exact ? "link" : "link guessed" });
    if (line !== null) this.links.append(line, ring);
    const finding = this.hooks.finding(sign.finding);
    const link = first === null || first === lane ? "" : `, together with ${first.label}`;
    const element = draw(
      "g",
      { class: "sign", role: "button", tabindex: -1, "aria-label": `Finding ${sign.finding + 1} ${finding.kind} in ${lane.label}${link}, at ${duration(sign.at)}`, "data-finding": sign.finding, "data-start": sign.at, "data-lane": lane.number },
      badge,
    );
    const place = (x) => {
      dress(badge, { transform: `translate(${x} ${lane.glyphY + AXIS_HEIGHT})` });
      if (line === null) return;
      const [from, to] = [first.glyphY + AXIS_HEIGHT, lane.glyphY + AXIS_HEIGHT];
      const start = this.axis.x(sign.first, this.width);
      dress(ring, { cx: start, cy: from });
      dress(line, { d: `M${start} ${from}C${start} ${(from + to) / 2} ${x} ${(from + to) / 2} ${x} ${to}` });
    };
    const item = { element, lane: lane.number, at: sign.at, end: sign.at, place, subject: sign, sign: true };
    this.#listen(item);
    this.items.push(item);
    this.signs.append(element);
  }

  #listen(item) {
    const inspect = () => this.hooks.inspect(item.subject);
    item.element.addEventListener("pointerenter", inspect);
    item.element.addEventListener("focus", () => {
      this.#current(item);
      inspect();
    });
    item.element.addEventListener("click", () => {
      item.element.focus();
      this.#open(item);
    });
  }

  #open(item) {
    if (item.sign) this.hooks.follow(item.subject.finding);
    else this.hooks.pin(item.subject);
  }

  /** What can be gone to: everything but the signs that are in a group. */
  get #reachable() {
    return [...this.items.filter((item) => item.group === undefined), ...this.groups].sort(inOrder);
  }

  #current(item) {
    for (const each of [...this.items, ...this.groups]) if (each.element.getAttribute("tabindex") === "0") each.element.setAttribute("tabindex", "-1");
    item.element.setAttribute("tabindex", "0");
    this.axis.reveal(item.at, item.end);
  }

  /** Arrow keys go from mark to mark; with shift they move the axis. */
  #key(event) {
    const items = this.#reachable;
    const here = items.findIndex(({ element }) => element === document.activeElement);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = items[here];
    const go = (number) => items[Math.min(Math.max(number, 0), items.length - 1)].element.focus();
    const acts = {
      ArrowRight: () => (event.shiftKey ? this.axis.pan(0.2) : go(here + 1)),
      ArrowLeft: () => (event.shiftKey ? this.axis.pan(-0.2) : go(here - 1)),
      ArrowDown: () => this.#across(items, item, 1),
      ArrowUp: () => this.#across(items, item, -1),
      Home: () => go(0),
      End: () => go(items.length - 1),
      Enter: () => this.#open(item),
      " ": () => this.#open(item),
      "+": () => this.axis.zoom(1.6, (item.at + item.end) / 2),
      "=": () => this.axis.zoom(1.6, (item.at + item.end) / 2),
      "-": () => this.axis.zoom(1 / 1.6),
      0: () => this.axis.reset(),
      Escape: () => this.hooks.release(),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  /** To what is nearest in time in the next lane that has something. */
  #across(items, item, direction) {
    const lanes = [...new Set(items.map(({ lane }) => lane))];
    const next = lanes[lanes.indexOf(item.lane) + direction];
    const there = items.filter(({ lane }) => lane === next);
    if (!there.length) return;
    there.reduce((best, each) => (Math.abs(each.at - item.at) < Math.abs(best.at - item.at) ? each : best)).element.focus();
  }

  /** Dragging moves the axis; with the control key the wheel zooms. */
  #drag() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0) from = event.clientX;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (from === null || !(event.buttons & 1)) return;
      const by = event.clientX - from;
      if (Math.abs(by) < 4) return;
      from = event.clientX;
      this.axis.pan(-by / Math.max(this.width, 1));
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      this.canvas.addEventListener(end, () => {
        from = null;
      });
    }
    const zoom = (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - this.canvas.getBoundingClientRect().left;
      this.axis.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.axis.at(x, this.width));
    };
    this.canvas.addEventListener("wheel", zoom, { passive: false });
  }

  #resize() {
    const width = this.canvas.clientWidth;
    if (width && width !== this.width) {
      this.width = width;
      this.#place();
    }
  }

  /** Put everything where the axis says. */
  #place() {
    if (!this.width) return;
    this.svg.setAttribute("width", this.width);
    const { axis, width } = this;
    const bottom = this.plan.height + AXIS_HEIGHT;
    const { step, found } = axis.ticks(width);
    const end = axis.x(this.turn.took, width);
    this.ticks.replaceChildren(
      ...found.flatMap((at) => {
        const x = axis.x(at, width);
        const anchor = x < 24 ? "start" : x > width - 24 ? "end" : "middle";
        return [
          draw("path", { d: `M${x} ${AXIS_HEIGHT - 4}V${bottom}` }),
          draw("text", { x: Math.min(Math.max(x, 0), width), y: 13, "text-anchor": anchor }, axis.label(at, step)),
        ];
      }),
      draw("path", { class: "end", d: `M${end} ${AXIS_HEIGHT - 8}V${bottom}` }),
    );
    for (const { place, at, end: until, sign } of this.items) {
      if (!sign) place(round(axis.x(at, width)), Math.max(2.5, round(axis.x(until, width) - axis.x(at, width))));
    }
    this.#placeSigns();
  }

  /** Signs beside each other where they would lie on each other; more than a few of them are one, which leads to all. */
  #placeSigns() {
    const focused = this.#reachable.find(({ element }) => element === document.activeElement);
    for (const { element } of this.groups) element.remove();
    this.groups = [];
    const signs = this.items.filter(({ sign }) => sign);
    for (const lane of new Set(signs.map(({ lane: number }) => number))) {
      const mine = signs.filter((item) => item.lane === lane);
      for (const { start, members } of gather(mine.map(({ at }) => this.axis.x(at, this.width)), this.width)) {
        const items = members.map((index) => mine[index]);
        const group = items.length > MOST_SIGNS ? this.#group(items, round(start)) : undefined;
        items.forEach((item, index) => {
          item.group = group;
          item.element.toggleAttribute("hidden", group !== undefined);
          item.place(round(group === undefined ? start + index * SIGN_STEP : start));
        });
      }
    }
    this.#keepFocus(focused);
  }

  /** The sign of several findings. */
  #group(items, x) {
    const lane = this.plan.lanes[items[0].lane];
    const width = groupWidth(items.length);
    const [first, last] = [items[0], items.at(-1)];
    const element = draw(
      "g",
      { class: "sign-group", role: "button", tabindex: -1, transform: `translate(${x} ${lane.glyphY + AXIS_HEIGHT})`, "aria-label": `${items.length} findings in ${lane.label}, at ${duration(first.at)} to ${duration(last.at)}: enter lists them`, "data-count": items.length, "data-lane": lane.number },
      draw("rect", { x: -8, y: -8, width, height: 16, rx: 8 }),
      draw("text", { "text-anchor": "middle", x: width / 2 - 8, y: 3.8 }, String(items.length)),
    );
    const item = { element, lane: lane.number, at: first.at, end: last.at, members: items, subject: { signs: items.map(({ subject }) => subject), lane: lane.number } };
    this.#listen(item);
    this.groups.push(item);
    this.signs.append(element);
    return item;
  }

  /** What had the focus has it again, or what it is in now; and one thing can be gone to by the tab key. */
  #keepFocus(focused) {
    const home = (item) => (item.members?.[0] ?? item).group ?? item.members?.[0] ?? item;
    if (focused !== undefined && home(focused).element !== document.activeElement) home(focused).element.focus({ preventScroll: true });
    const reachable = this.#reachable;
    const next = reachable.find(({ element }) => element.getAttribute("tabindex") === "0") ?? reachable[0];
    for (const { element } of this.items) element.setAttribute("tabindex", "-1");
    next?.element.setAttribute("tabindex", "0");
  }
}

const inOrder = (one, other) => one.lane - other.lane || one.at - other.at;

const round = (value) => Math.round(value * 100) / 100;
