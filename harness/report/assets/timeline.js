// One turn, drawn: lanes from left to right along an axis that it shares with the turns it is compared with.

const AXIS_HEIGHT = 22;
let drawings = 0;

class Timeline {
  /** `hooks` has `inspect(mark or sign, turn)`, called for what is looked at, and `follow(finding)`. */
  constructor(turn, axis, title, hooks) {
    Object.assign(this, { turn, axis, title, hooks });
    this.id = `timeline-${(drawings += 1)}`;
    this.plan = layOut(turn);
    this.width = 0;
    this.items = [];
    this.lines = [];
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
    this.items.sort((one, other) => one.lane - other.lane || one.at - other.at);
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
    const kind = finding === undefined ? "" : ` ${finding.kind}`;
    const link = first === null || first === lane ? "" : `, together with ${first.label}`;
    const element = draw(
      "g",
      { class: "sign", role: "button", tabindex: -1, "aria-label": `Finding ${sign.finding + 1}${kind} in ${lane.label}${link}, at ${duration(sign.at)}`, "data-finding": sign.finding, "data-start": sign.at, "data-lane": lane.number },
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
    const inspect = () => this.hooks.inspect(item.subject, this.turn, this.title);
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
    else this.hooks.pin(item.subject, this.turn, this.title);
  }

  #current(item) {
    for (const each of this.items) if (each.element.getAttribute("tabindex") === "0") each.element.setAttribute("tabindex", "-1");
    item.element.setAttribute("tabindex", "0");
    this.axis.reveal(item.at, item.end);
  }

  /** Arrow keys go from mark to mark; with shift they move the axis. */
  #key(event) {
    const here = this.items.findIndex(({ element }) => element === document.activeElement);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = this.items[here];
    const acts = {
      ArrowRight: () => (event.shiftKey ? this.axis.pan(0.2) : this.#go(here + 1)),
      ArrowLeft: () => (event.shiftKey ? this.axis.pan(-0.2) : this.#go(here - 1)),
      ArrowDown: () => this.#across(item, 1),
      ArrowUp: () => this.#across(item, -1),
      Home: () => this.#go(0),
      End: () => this.#go(this.items.length - 1),
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

  #go(number) {
    this.items[Math.min(Math.max(number, 0), this.items.length - 1)].element.focus();
  }

  /** To what is nearest in time in the next lane that has something. */
  #across(item, direction) {
    const lanes = [...new Set(this.items.map(({ lane }) => lane))];
    const next = lanes[lanes.indexOf(item.lane) + direction];
    const there = this.items.filter(({ lane }) => lane === next);
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
    const taken = new Map();
    for (const { place, at, end: until, sign, lane } of this.items) {
      let x = axis.x(at, width);
      if (sign) {
        const last = taken.get(lane) ?? -Infinity;
        if (x - last < 17) x = last + 17;
        taken.set(lane, x);
      }
      place(round(x), Math.max(2.5, round(axis.x(until, width) - axis.x(at, width))));
    }
  }
}

const round = (value) => Math.round(value * 100) / 100;
