"""Drawings: shapes, text and axes as an SVG that stands alone, or inside a page.

Problem: a chart must be read in light and dark, by people who do not tell its colours apart, and by those who hear it;
it holds text of the backend; and a page may hold many of them.

Mechanism: an element tree, so that text cannot become anything else. Colours are classes, which a style inside the
drawing sets for both schemes; every class is named below the drawing's own, and every id begins with its name. Each
colour comes with a hatching and a marker of its own. There are no fonts to measure: widths are estimates on the safe
side.

Guarantee: valid XML with a title and a description, no script, and nothing that is loaded from elsewhere. Text has a
contrast of 4.5 to its ground, shapes one of 3, in both schemes (WCAG 2.2, 1.4.3 and 1.4.11).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from unicodedata import east_asian_width
from xml.etree import ElementTree as ET

from harness.report.text import inline, printable

__all__ = ["COLOURS", "MARK", "SCHEMES", "STYLE", "Axis", "Colours", "Drawing", "clipped", "page_style", "text_width"]

MARK = 'class="sessionproof-chart"'
"""What every drawing begins with, after its `<svg `: whoever removes old ones knows them by it."""

_SCOPE = ".sessionproof-chart"
_DESCRIPTION_LIMIT = 6_000
_FONT = 13.0
_WIDE = 1.0
_CHARACTER = 0.57
_STEPS = (1.0, 2.0, 5.0, 10.0)
_FEW_DECADES = 2
_MOST_DECADES = 8
_HUGE = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """The colours of one scheme: its ground, what is written on it, and what tells series apart."""

    ground: str
    ink: str
    dim: str
    grid: str
    warning: str
    series: tuple[str, ...]


SCHEMES = {
    "light": Colours(
        ground="#ffffff",
        ink="#1f2328",
        dim="#57606a",
        grid="#d8dee4",
        warning="#953800",
        series=("#0087d2", "#962d00", "#5a9669", "#5a1e69", "#c3870f", "#877896", "#1e2da5", "#1e3c2d"),
    ),
    "dark": Colours(
        ground="#15191f",
        ink="#e6edf3",
        dim="#a5b0bc",
        grid="#333b45",
        warning="#ffb077",
        series=("#4bd2ff", "#ff783c", "#78c396", "#b45a96", "#fff02d", "#e1ffff", "#4b69d2", "#69694b"),
    ),
}
"""Every two of a scheme's series differ by 25 or more (CIE 1976), also for those who lack a kind of cone."""

COLOURS = len(SCHEMES["light"].series)
_HATCHINGS = (
    "",
    "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    "M4 0V8",
    "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "M0 4H8",
    "M0 4H8M4 0V8",
    "M0 8L8 0M0 0L8 8",
    "M2 2h1.5v1.5h-1.5zM6 6h1.5v1.5h-1.5z",
)
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "2 6", "6 2 2 2 2 2")
_MARKERS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4H4V4H-4z",
    "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
    "M0 -5L5 4H-5z",
    "M0 5L5 -4H-5z",
    "M-5 -2H-2V-5H2V-2H5V2H2V5H-2V2H-5z",
    "M-5 -3L0 -5.5L5 -3V3L0 5.5L-5 3z",
    "M-5.5 -2.5H5.5V2.5H-5.5z",
)


def text_width(text: str, *, size: float = _FONT) -> float:
    """About how many pixels a text takes; rather too many than too few."""
    return sum(_WIDE if east_asian_width(each) in "WF" else _CHARACTER for each in text) * size


def clipped(text: str, width: float) -> str:
    """A text on one line that takes at most about so many pixels; what was cut off ends with an ellipsis."""
    line = printable(" ".join(text[:1000].split()))
    if text_width(line) <= width and len(text) <= 1000:  # noqa: PLR2004  # more fit nowhere
        return line
    while line and text_width(line) + _FONT > width:
        line = line[:-1]
    return f"{line}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `end`; `logarithmic` values are above 0."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def up_to(cls, highest: float, *, start: float, end: float) -> "Axis":
        """From 0 to a round number that is not below the highest value."""
        top = highest if 0 < highest < float("inf") else 1.0
        step = _step(top)
        return cls(low=0.0, high=max(step, ceil(top / step - 1e-9) * step), start=start, end=end)

    @classmethod
    def around(cls, values: Sequence[float], *, start: float, end: float) -> "Axis":
        """From a round number below all values to one above them."""
        low, high = min(values), max(values)
        step = _step(high - low if high > low else abs(high) or 1.0)
        first, last = floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step
        return cls(low=first, high=max(last, first + step), start=start, end=end)

    @classmethod
    def decades(cls, values: Sequence[float], *, start: float, end: float) -> "Axis":
        """A logarithmic one, from a power of ten well below all values to a round number above."""
        known = [value for value in values if value > 0] or [1.0]
        low, high = 10.0 ** max(-300, floor(log10(min(known) / 2))), max(known)
        power = 10.0 ** floor(log10(high))
        top = next((power * step for step in _STEPS if power * step >= high), high)
        return cls(low=low, high=max(top, low * 10), start=start, end=end, logarithmic=True)

    def __call__(self, value: float) -> float:
        """Where a value is; what lies outside of the axis is on its edge."""
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            part = log10(inside / self.low) / log10(self.high / self.low)
        else:
            part = (inside - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round numbers: 1, 2 and 5 times powers of ten."""
        if not self.logarithmic:
            step = _step(self.high - self.low)
            return [self.low + step * number for number in range(round((self.high - self.low) / step) + 1)]
        first, last = round(log10(self.low)), ceil(log10(self.high) - 1e-9)
        every = max(1, -(-(last - first) // _MOST_DECADES))
        steps = _STEPS[:3] if last - first <= _FEW_DECADES else _STEPS[:1]
        found = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
        return [tick for tick in found if tick <= self.high * (1 + 1e-9)]


def _step(span: float) -> float:
    """A round step of which the span has about five."""
    power = 10.0 ** floor(log10(span / 5))
    return next(power * step for step in _STEPS if power * step * 5 >= span * (1 - 1e-9))


@dataclass(slots=True, kw_only=True)
class Drawing:
    """A drawing in the making: `name` is made of letters, digits, `-` and `_`; sizes are in pixels."""

    name: str
    title: str
    description: str
    width: float
    height: float
    _root: ET.Element = field(init=False)
    _definitions: ET.Element = field(init=False)
    _hatched: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        size = {"width": _pixels(self.width), "height": _pixels(self.height)}
        labelled = f"{self.name}-title {self.name}-desc"
        self._root = ET.Element(
            "svg",
            {
                "class": "sessionproof-chart",
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {size['width']} {size['height']}",
                **size,
                "role": "img",
                "aria-labelledby": labelled,
            },
        )
        ET.SubElement(self._root, "title", id=f"{self.name}-title").text = inline(self.title)
        said = inline(self.description, limit=_DESCRIPTION_LIMIT)
        ET.SubElement(self._root, "desc", id=f"{self.name}-desc").text = said
        ET.SubElement(self._root, "style").text = STYLE
        self._definitions = ET.SubElement(self._root, "defs")
        self._shape("rect", "sp-ground", x="0", y="0", **size)

    def rendered(self) -> str:
        """The drawing as XML."""
        return ET.tostring(self._root, encoding="unicode") + "\n"

    def text(self, x: float, y: float, said: str, *, style: str = "ink", anchor: str = "start") -> None:
        """A line of text whose baseline is at `y`; `style` is `ink`, `dim`, `title` or `warning`."""
        element = self._shape("text", f"sp-{style}", x=_pixels(x), y=_pixels(y))
        if anchor != "start":
            element.set("text-anchor", anchor)
        element.text = printable(said)

    def plate(self, x: float, y: float, said: str) -> None:
        """A text around a middle, on a plate of the ground's colour: it can be read on any shape."""
        width = text_width(said, size=_FONT) + 10
        self._shape(
            "rect", "sp-ground", x=_pixels(x - width / 2), y=_pixels(y - 8), width=_pixels(width), height="16", rx="3"
        )
        self.text(x, y + 4.5, said, anchor="middle")

    def line(self, start: tuple[float, float], end: tuple[float, float], *, style: str = "grid") -> None:
        """A straight line; `style` is `grid`, `axis`, `mark` (dashed) or `halo` (wide, in the ground's colour)."""
        self._shape("path", f"sp-{style}", d=_path([start, end]))

    def curve(self, points: Sequence[tuple[float, float]], colour: int) -> None:
        """A line through points, in a colour and with its dashes."""
        element = self._shape("path", f"sp-line sp-s{colour % COLOURS}", d=_path(points))
        if dashes := _DASHES[colour % COLOURS]:
            element.set("stroke-dasharray", dashes)

    def bar(self, x: float, y: float, width: float, height: float, *, colour: int, hollow: bool = False) -> None:
        """A bar in a colour with its hatching, or its outline alone."""
        sizes = {"x": x, "y": y, "width": max(0.0, width), "height": height}
        where = {name: _pixels(value) for name, value in sizes.items()}
        number = colour % COLOURS
        if hollow:
            self._shape("rect", f"sp-hollow sp-s{number}", **where)
            return
        self._shape("rect", f"sp-f{number}", **where)
        if _HATCHINGS[number]:
            self._shape("rect", "sp-plain", **where, fill=f"url(#{self._hatching(number)})")

    def interval(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """The bar of an interval, with its ends, between two points on a level or upright line."""
        upright = abs(low[0] - high[0]) < abs(low[1] - high[1])
        across = (4.0, 0.0) if upright else (0.0, 4.0)
        ends = [[(x - across[0], y - across[1]), (x + across[0], y + across[1])] for x, y in (low, high)]
        path = " ".join(_path(points) for points in ([low, high], *ends))
        self._shape("path", "sp-halo", d=path)
        self._shape("path", "sp-whisker", d=path)

    def marker(self, x: float, y: float, *, colour: int, hollow: bool = False) -> None:
        """A point, in a colour and with its shape; hollow for what is not known well."""
        number = colour % COLOURS
        style = f"sp-open sp-s{number}" if hollow else f"sp-f{number} sp-edge"
        self._shape("path", style, d=_MARKERS[number], transform=f"translate({_pixels(x)} {_pixels(y)})")

    def missing(self, x: float, y: float, *, colour: int | None = None) -> None:
        """A cross, where a point would be."""
        style = "sp-cross" if colour is None else f"sp-cross sp-s{colour % COLOURS}"
        self._shape(
            "path", style, d="M-4.5 -4.5L4.5 4.5M-4.5 4.5L4.5 -4.5", transform=f"translate({_pixels(x)} {_pixels(y)})"
        )

    def _hatching(self, number: int) -> str:
        found = f"{self.name}-h{number}"
        if number not in self._hatched:
            self._hatched.add(number)
            made = ET.SubElement(
                self._definitions, "pattern", id=found, width="8", height="8", patternUnits="userSpaceOnUse"
            )
            ET.SubElement(made, "path", {"class": "sp-hatch", "d": _HATCHINGS[number]})
        return found

    def _shape(self, tag: str, style: str, **attributes: str) -> ET.Element:
        return ET.SubElement(self._root, tag, {"class": style, **attributes})


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_pixels(x)} {_pixels(y)}" for x, y in points)


def _pixels(value: float) -> str:
    return f"{min(max(value, -_HUGE), _HUGE):.1f}".removesuffix(".0")


def _rules(colours: Colours) -> Iterator[str]:
    """What a scheme sets: colours alone."""
    yield f"{_SCOPE} .sp-ground{{fill:{colours.ground}}}"
    yield f"{_SCOPE} .sp-ink,{_SCOPE} .sp-title{{fill:{colours.ink}}}"
    yield f"{_SCOPE} .sp-dim{{fill:{colours.dim}}}"
    yield f"{_SCOPE} .sp-warning{{fill:{colours.warning}}}"
    yield f"{_SCOPE} .sp-grid{{stroke:{colours.grid}}}"
    yield f"{_SCOPE} .sp-axis,{_SCOPE} .sp-mark{{stroke:{colours.dim}}}"
    yield f"{_SCOPE} .sp-whisker,{_SCOPE} .sp-cross{{stroke:{colours.ink}}}"
    yield f"{_SCOPE} .sp-halo,{_SCOPE} .sp-hatch,{_SCOPE} .sp-edge{{stroke:{colours.ground}}}"
    yield f"{_SCOPE} .sp-open,{_SCOPE} .sp-hollow{{fill:{colours.ground}}}"
    for number, colour in enumerate(colours.series):
        yield f"{_SCOPE} .sp-f{number}{{fill:{colour}}}"
        yield f"{_SCOPE} .sp-s{number}{{stroke:{colour}}}"


_SHAPES = (
    f"{_SCOPE}{{max-width:100%;height:auto;font:{_FONT:g}px system-ui,-apple-system,'Segoe UI',sans-serif}}",
    f"{_SCOPE} .sp-title{{font-size:16px;font-weight:600}}",
    f"{_SCOPE} .sp-grid,{_SCOPE} .sp-axis{{stroke-width:1;fill:none}}",
    f"{_SCOPE} .sp-mark{{stroke-width:1.5;stroke-dasharray:5 4;fill:none}}",
    f"{_SCOPE} .sp-line{{stroke-width:2;fill:none}}",
    f"{_SCOPE} .sp-whisker{{stroke-width:1.5;fill:none}}",
    f"{_SCOPE} .sp-halo{{stroke-width:4.5;fill:none}}",
    f"{_SCOPE} .sp-cross{{stroke-width:2;fill:none}}",
    f"{_SCOPE} .sp-hatch{{stroke-width:1.5;fill:none}}",
    f"{_SCOPE} .sp-edge{{stroke-width:1}}",
    f"{_SCOPE} .sp-open,{_SCOPE} .sp-hollow{{stroke-width:2}}",
)
STYLE = "\n".join(
    [
        "",
        *_SHAPES,
        *_rules(SCHEMES["light"]),
        "@media (prefers-color-scheme:dark){",
        *_rules(SCHEMES["dark"]),
        "}",
        "",
    ]
)
"""The style inside each drawing."""


def page_style() -> str:
    """The style of drawings in a page that has them without their own: both schemes, by the page's `color-scheme`."""
    light, dark = SCHEMES["light"], SCHEMES["dark"]
    names = ("ground", "ink", "dim", "grid", "warning")
    both = Colours(
        **{name: _either(getattr(light, name), getattr(dark, name)) for name in names},
        series=tuple(map(_either, light.series, dark.series)),
    )
    return "\n".join([*_SHAPES, *_rules(both), ""])


def _either(light: str, dark: str) -> str:
    return f"light-dark({light},{dark})"
