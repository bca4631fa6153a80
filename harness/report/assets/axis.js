// The time that is seen: one axis for all timelines of a view, so that what is longer looks longer.

class Axis {
  constructor(start, end) {
    const margin = Math.max(1, (end - start) * 0.012);
    this.whole = [start - margin, end + margin];
    [this.start, this.end] = this.whole;
    this.watchers = [];
  }

  watch(watcher) {
    this.watchers.push(watcher);
  }

  get span() {
    return this.end - this.start;
  }

  /** Where a moment is, on so many pixels. */
  x(at, width) {
    return ((at - this.start) / this.span) * width;
  }

  /** The moment at a place. */
  at(x, width) {
    return this.start + (x / width) * this.span;
  }

  show(start, end) {
    const [first, last] = this.whole;
    const span = Math.min(last - first, Math.max(20, end - start));
    this.start = Math.min(Math.max(first, start), last - span);
    this.end = this.start + span;
    for (const watcher of this.watchers) watcher();
  }

  zoom(factor, around = (this.start + this.end) / 2) {
    this.show(around - (around - this.start) / factor, around + (this.end - around) / factor);
  }

  /** Move by a share of what is seen. */
  pan(share) {
    const by = this.span * share;
    const [first, last] = this.whole;
    const inside = Math.min(Math.max(by, first - this.start), last - this.end);
    this.show(this.start + inside, this.end + inside);
  }

  reset() {
    this.show(...this.whole);
  }

  /** Make a moment visible. */
  reveal(start, end) {
    if (end < this.start || start > this.end) {
      const half = this.span / 2;
      this.show(start - half, start + half);
    }
  }

  /** Round moments, about every 110 pixels. */
  ticks(width) {
    const least = (this.span * 110) / Math.max(width, 1);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= least);
    const found = [];
    for (let at = Math.ceil(this.start / step) * step; at <= this.end; at += step) found.push(at);
    return { step, found };
  }

  /** A tick's label: milliseconds, with as many digits as the step needs. */
  label(at, step) {
    const decimals = Math.max(0, -Math.floor(Math.log10(step / 1000)));
    const ms = Math.abs(at) < step / 2 ? 0 : at / 1000;
    return `${ms.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })} ms`;
  }
}
