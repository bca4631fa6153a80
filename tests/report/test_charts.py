"""Charts: what is in them, that nothing of the document gets lost, and that everybody can read them."""

import re
from collections import Counter
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from dirty_equals import IsPartialDict
from inline_snapshot import snapshot

from harness.report.bench_document import BenchDocument, ChangeDocument, ChangeOutcome, GrowthDocument, PointDocument
from harness.report.charts import charts
from harness.report.redact import masked, masker
from harness.report.svg import COLOURS, MARK, SCHEMES, Axis, clipped, text_width
from tests.report import bench_documents, documents
from tests.report.bench_documents import arm, benchmark, case, comparison, curve, everything, failed, pools

SVG = "{http://www.w3.org/2000/svg}"
LONG = "x" * 1_000_000


def drawn(document: BenchDocument) -> dict[str, ET.Element]:
    """The charts of a document with its comparison, parsed."""
    return {name: ET.fromstring(text) for name, text in charts(document, comparison()).items()}


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def styled(root: ET.Element, style: str) -> int:
    """How many shapes have the style."""
    return sum(style in element.get("class", "").split() for element in root.iter())


def one(document: BenchDocument, name: str) -> ET.Element:
    return drawn(document)[name]


def test_there_is_a_chart_for_everything_that_was_measured() -> None:
    """In the order in which they are to be shown."""
    assert list(drawn(everything())) == snapshot(
        [
            "comparison",
            "ratio-headline",
            "parts-headline",
            "pools-pool_size",
            "curve-tools_per_turn",
            "curve-pool_states",
            "cost-recorders",
        ]
    )


def test_nothing_that_was_not_measured_has_a_chart() -> None:
    """No case, no curve, no pools, no costs: no file; and no parts without parts."""
    assert charts(benchmark()) == {}
    assert list(charts(benchmark(case(failed("a", "no"))))) == ["ratio-headline"]


def test_a_chart_says_its_content_in_words() -> None:
    """For those who hear it: what it is, each value with its interval, and what is missing."""
    said = {name: root.findtext(f"{SVG}desc") for name, root in drawn(everything()).items()}

    assert said["ratio-headline"] == snapshot(
        "Medians against per_operation, with intervals; shorter is better. per_operation: 1, the reference. one by "
        "one: 1.839x [1.821, 1.857]. shared: 1.832x [1.814, 1.851]. locked: 1.822x [1.804, 1.840]. sequential: "
        "failed. durable: 1.058x [1.048, 1.069]. INTERRUPTED: not everything was measured that was asked for. "
        "sequential failed after 0 repetitions: TimeoutError: no answer within 60 s."
    )
    assert said["pools-pool_size"] == snapshot(
        "How many times the seconds of pool of 8, with intervals; lower is better. 8 connections: the reference. 4 "
        "connections: 1.020x [1.010, 1.030], predicted, measured. 2 connections: 1.500x [1.485, 1.515], slower. 1 "
        "connections: failed, timed out. predicted: 4 connections are enough for 2 turns of 2 tools at once. "
        "measured: 4 is the smallest whose whole interval holds the time of the largest. slower beyond doubt: 2. "
        "somebody's patience ended: 1. INTERRUPTED: not everything was measured that was asked for. pool of 1 "
        "failed after 0 repetitions: QueuePool limit of size 1 overflow 0 reached, connection timed out."
    )
    assert said["curve-tools_per_turn"] == snapshot(
        "Median of each arm in ms, with intervals; lower is better. tools_per_turn, 1 tools: per_operation 101 ms "
        "[100, 102]; shared 100 ms [99, 101]. tools_per_turn, 2 tools (noisy): per_operation 102 ms [101, 103]; "
        "shared 200 ms [198, 202]. tools_per_turn, 4 tools: per_operation 104 ms [103, 105]; shared 400 ms [396, "
        "404]. tools_per_turn, 8 tools: per_operation 120 ms [119, 121]; shared failed. INTERRUPTED: not everything "
        "was measured that was asked for. Hollow points, TOO NOISY: an interval is wider than ±2.0% of its ratio, "
        "so that smaller differences are not known; measure again on a machine that does nothing else, or (the "
        "headline, latencies, and costs) with --full. tools_per_turn, 8 tools: shared failed after 0 repetitions: "
        "too many clients already. not measured: 16 tools: all arms together want 90 connections, and the server "
        "has 60 left."
    )
    assert "one by one: 537 ms [532, 542]: work 240.0 ms (45% [44%, 46%]), serial 252.9 ms (47% [46%, 48%])" in (
        said["parts-headline"] or ""
    )
    assert "all of them: 2.40 ms [2.38, 2.42]" in (said["cost-recorders"] or "")
    assert "headline: shared, ratio: 1.300 [1.270, 1.330] WORSE" in (said["comparison"] or "")


def test_a_chart_stands_alone_and_beside_others() -> None:
    """A picture with its title and description, no script, nothing from elsewhere, and no id that another one has."""
    made = charts(everything(), comparison())
    ids: Counter[str] = Counter()
    for name, text in made.items():
        root = ET.fromstring(text)
        own = [found for element in root.iter() if (found := element.get("id")) is not None]
        ids.update(own)

        assert text.startswith(f"<svg {MARK} ")
        assert root.attrib == IsPartialDict({"role": "img", "aria-labelledby": f"sp-{name}-title sp-{name}-desc"})
        assert {f"sp-{name}-title", f"sp-{name}-desc"} <= set(own)
        assert all(each.startswith(f"sp-{name}-") for each in own)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            *("svg", "title", "desc", "style", "defs", "pattern"),
            *("rect", "path", "text"),
        }
        assert set(re.findall(r"url\((.)", text)) <= {"#"}
        assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(own)
        assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        style = root.findtext(f"{SVG}style") or ""
        selectors = [each for rule in re.findall(r"([^{}]+)\{[^{}]+\}", style) for each in rule.strip().split(",")]
        assert all(
            each.split("{")[-1].strip().startswith(".sessionproof-chart") for each in selectors if "@" not in each
        )
    assert set(ids.values()) == {1}


def test_every_text_is_inside_of_its_chart() -> None:
    """By the estimate of its width, which is rather too wide; and no two texts on one line overlap."""
    for name, root in drawn(everything()).items():
        width, height = float(root.get("width", "0")), float(root.get("height", "0"))
        lines: dict[str, list[tuple[float, float]]] = {}
        for element in root.iter(f"{SVG}text"):
            size = 16 if element.get("class") == "sp-title" else 13
            x, wide = float(element.get("x", "0")), text_width(element.text or "", size=size)
            start = x - {"middle": wide / 2, "end": wide}.get(element.get("text-anchor", ""), 0.0)
            lines.setdefault(element.get("y", "0"), []).append((start, start + wide))

            assert start >= 0, (name, element.text)
            assert start + wide <= width, (name, element.text)
            assert 0 < float(element.get("y", "0")) < height, (name, element.text)
        for spans in lines.values():
            assert all(a[1] <= b[0] for a, b in pairwise(sorted(spans))), (name, spans)


def test_what_has_no_number_is_a_cross_with_its_reason() -> None:
    """In each kind of chart; it is never left out."""
    made = drawn(everything())

    for name, reason in {
        "ratio-headline": "sequential failed after 0 repetitions: TimeoutError: no answer within 60 s",
        "parts-headline": "sequential failed after 0 repetitions: TimeoutError: no answer within 60 s",
        "curve-tools_per_turn": "tools_per_turn, 8 tools: shared failed after 0 repetitions: too many clients already",
        "cost-recorders": "spans failed after 0 repetitions: no exporter",
    }.items():
        assert styled(made[name], "sp-cross") == 1, name
        assert reason in texts(made[name]), name
    assert styled(made["pools-pool_size"], "sp-cross") == 1
    assert {"timed out", "slower", "predicted: 4", "measured: 4"} <= set(texts(made["pools-pool_size"]))
    assert "not measured: with a container: no Docker engine answers" in texts(made["cost-recorders"])


def test_what_is_too_noisy_is_hollow() -> None:
    """And a note says how wide its intervals are."""
    noisy = case(arm("a", 0.25), arm("b", 0.5), reached=False, ended="time")
    points = (PointDocument(x=1, case=noisy), PointDocument(x=2, case=case(arm("a", 0.25), arm("b", 0.5))))
    document = benchmark(
        noisy,
        curves=(curve(points=points, skipped=()),),
        pools=(pools(case=pools().case.model_copy(update={"reached": False, "ended": "time"})),),
        costs=(bench_documents.cost(reached=False, ended="time"),),
    )
    made = drawn(document)

    assert styled(made["ratio-headline"], "sp-hollow") == 1
    assert styled(made["curve-tools_per_turn"], "sp-open") == 2
    assert styled(made["pools-pool_size"], "sp-open") == 2
    assert styled(made["cost-recorders"], "sp-hollow") == 3
    for name in ("ratio-headline", "curve-tools_per_turn", "pools-pool_size", "cost-recorders"):
        assert any("TOO NOISY: an interval is wider than" in text for text in texts(made[name])), name


def test_parts_of_what_is_not_sure_are_marked() -> None:
    """By a word, because their filling tells the parts apart; and what failed then is no ordinary bar."""
    arms = (arm("a", 0.25), arm("b", 0.5, failure="it broke", ratio=None), arm("c", 0.5, seconds=None, ratio=None))
    sure = one(benchmark(case(*arms[:1])), "parts-headline")
    noisy = one(benchmark(case(*arms, reached=False, ended="time")), "parts-headline")
    cut = one(benchmark(case(*arms, reached=False, ended="interrupted")), "parts-headline")

    of_style = {element.text: element.get("class") for element in noisy.iter(f"{SVG}text")}
    assert styled(sure, "sp-warning") == 0
    assert of_style["250 ms [248, 252], noisy"] == of_style["500 ms [495, 505], then failed"] == "sp-warning"
    assert "250 ms [248, 252]" in texts(sure)
    assert {"250 ms [248, 252], noisy", "500 ms [495, 505], then failed", "too few"} <= set(texts(noisy))
    assert "250 ms [248, 252], cut short" in texts(cut)
    assert any(text.startswith("TOO NOISY") for text in texts(noisy))
    assert "not measured to its end: somebody ended it" in texts(cut)
    assert "b failed after 10 repetitions: it broke" in texts(noisy)
    assert (styled(sure, "sp-cross"), styled(noisy, "sp-cross")) == (0, 1)
    said = noisy.findtext(f"{SVG}desc") or ""
    assert "a: 250 ms [248, 252], noisy: work 240.0 ms (96% [95%, 97%]), serial 10.0 ms (4% [3%, 5%])" in said
    assert "c: too few." in said


def test_numbers_in_bars_have_their_intervals() -> None:
    """The shares of the turn; milliseconds are on the axis."""
    root = one(everything(), "parts-headline")

    inside = [text for text in texts(root) if text.endswith("]") and "%" in text]
    assert "82% [81%, 83%]" in inside
    assert "240.0" not in texts(root)
    numbers = [text for text in texts(root) if re.match(r"[\d.]+", text)]
    assert [text for text in numbers if "[" not in text] == ["0", "200", "400", "600"]


def test_what_failed_when_it_had_a_number_is_hollow() -> None:
    """And on a curve crossed out: no more of it came."""
    broken = {"ratio": None, "failure": "it broke"}
    of = case(arm("a", 0.25), arm("b", 0.5, **broken))
    ways = (bench_documents.cost().arms[0], bench_documents.cost().arms[1].model_copy(update=broken))
    document = benchmark(
        of,
        curves=(curve(points=(PointDocument(x=1, case=of),), skipped=()),),
        costs=(bench_documents.cost(arms=ways, missing=()),),
    )
    made = drawn(document)

    assert styled(made["curve-tools_per_turn"], "sp-open") == styled(made["curve-tools_per_turn"], "sp-cross") == 1
    assert styled(made["cost-recorders"], "sp-hollow") == 1
    assert "31.0 µs [30.7, 31.3], then failed" in texts(made["cost-recorders"])
    assert "tools_per_turn, 1 tools: a 250 ms [248, 252]; b 500 ms [495, 505], then failed" in (
        made["curve-tools_per_turn"].findtext(f"{SVG}desc") or ""
    )
    assert styled(made["ratio-headline"], "sp-cross") == 1
    assert "b failed after 10 repetitions: it broke" in texts(made["ratio-headline"])


def test_there_are_no_rules_for_what_is_never_drawn() -> None:
    """Every class that the style inside of a drawing names is one that some drawing has."""
    noisy = case(arm("a", 0.25), arm("b", 0.5), reached=False, ended="time")
    roots = [*drawn(everything()).values(), *drawn(benchmark(noisy)).values()]
    used = {each for root in roots for element in root.iter() for each in element.get("class", "").split()}

    named = set(re.findall(r"\.(sp-[a-z-]+)", roots[0].findtext(f"{SVG}style") or ""))

    assert {each for each in named if not re.fullmatch(r"sp-[fs]", each)} <= used


def test_every_value_has_the_whiskers_of_its_interval() -> None:
    """The reference of ratios has none: it is 1 to itself."""
    made = drawn(everything())

    assert {name: styled(root, "sp-whisker") for name, root in made.items()} == {
        "comparison": 4,
        "ratio-headline": 4,
        "parts-headline": 0,
        "pools-pool_size": 2,
        "curve-tools_per_turn": 7,
        "curve-pool_states": 4,
        "cost-recorders": 3,
    }


def test_a_line_is_broken_where_a_point_is_missing() -> None:
    """What nobody measured is not drawn as if it lay between its neighbours; between labels nothing lies."""

    def at(x: int, b: float | None) -> PointDocument:
        return PointDocument(x=x, case=case(arm("a", 0.1), failed("b", "no") if b is None else arm("b", b)))

    whole = curve(points=tuple(at(x, 0.2) for x in (1, 2, 4, 8, 16)), skipped=())
    broken = curve(points=tuple(at(x, None if x == 4 else 0.2) for x in (1, 2, 4, 8, 16)), skipped=())

    assert styled(one(benchmark(curves=(whole,)), "curve-tools_per_turn"), "sp-line") == 2
    assert styled(one(benchmark(curves=(broken,)), "curve-tools_per_turn"), "sp-line") == 3
    assert styled(one(everything(), "curve-pool_states"), "sp-line") == 0


def test_the_names_of_lines_keep_their_distance() -> None:
    """Also where all lines end in one place."""
    arms = [arm(f"arm {number}", 0.1) for number in range(10)]
    points = (PointDocument(x=1, case=case(*arms)), PointDocument(x=2, case=case(*arms)))
    root = one(benchmark(curves=(curve(points=points, skipped=()),)), "curve-tools_per_turn")

    places = sorted(
        float(text.get("y", "0")) for text in root.iter(f"{SVG}text") if (text.text or "").startswith("arm")
    )

    assert len(places) == 10
    assert all(b - a >= 18 for a, b in pairwise(places))
    assert places[-1] < float(root.get("height", "0"))


@pytest.mark.parametrize(
    ("points", "places"),
    [
        ([(1, None), (2, None), (8, None)], (1.0, 3.0)),
        ([(1, None), (3, None), (5, None)], (1.0, 2.0)),
        ([(7, "cold"), (1, "warm"), (100, "null")], (1.0, 2.0)),
        ([(4, None), (4, None), (2, None)], (1.0, 2.0)),
    ],
    ids=["doubling", "numbers", "labels", "in no order"],
)
def test_points_are_placed_by_what_x_is(points: list[tuple[int, str | None]], places: tuple[float, float]) -> None:
    """On a logarithmic axis where x doubles, on an ordinary one where it only grows, else one beside the other."""
    made = tuple(PointDocument(x=x, label=label, case=case(arm("a", 0.1))) for x, label in points)
    root = one(benchmark(curves=(curve(points=made, skipped=()),)), "curve-tools_per_turn")

    markers = [element for element in root.iter() if element.get("class") == "sp-f0 sp-edge"][:3]
    first, second, third = (float(re.findall(r"translate\((\S+) ", each.get("transform", ""))[0]) for each in markers)

    assert (third - first) / (second - first) == pytest.approx(places[1] / places[0], rel=0.01)
    assert ("tools, logarithmic" in texts(root)) is (places[1] == 3.0)
    assert {label or str(x) for x, label in points} <= set(texts(root))


def test_names_are_fit_for_files_and_differ() -> None:
    """Whatever a case is called, and where upper and lower case are the same."""
    names = ("../../etc/passwd", "a b", "A-B", "..", "con<script>", "täter", "x" * 500)
    made = charts(benchmark(*(case(failed("a", "no"), name=name) for name in names)))

    assert list(made) == snapshot(
        [
            "ratio-etc-passwd",
            "ratio-a-b",
            "ratio-a-b-2",
            "ratio-unnamed",
            "ratio-con-script",
            "ratio-t-ter",
            "ratio-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ]
    )


@pytest.mark.parametrize("text", [*documents.HOSTILE, LONG], ids=range(len(documents.HOSTILE) + 1))
def test_hostile_text_stays_text(text: str) -> None:
    """No element, no instruction of the backend's, no character that XML does not have, and no megabyte."""
    document = masked(bench_documents.hostile(text.encode("utf-8", "replace").decode()), masker({}))
    made = charts(document)

    assert len(made) == 6
    for svg in made.values():
        root = ET.fromstring(svg)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            *("svg", "title", "desc", "style", "defs", "pattern"),
            *("rect", "path", "text"),
        }
        assert not set(svg) & {"\x00", "\x1b", "\x07", "\u202e", "\u2066", "\ufffe"}
        assert len(svg) < 40_000


def test_values_of_any_size_are_drawn() -> None:
    """The largest and the smallest that a document can hold."""
    extreme = case(
        *(arm(f"{each:g}", each, parts={"work": each}, ratio=bench_documents.estimate(each)) for each in SIZES)
    )
    points = (PointDocument(x=1, case=extreme), PointDocument(x=2, case=extreme))
    costs = bench_documents.cost(
        arms=tuple(
            bench_documents.cost()
            .arms[0]
            .model_copy(update={"name": f"{each:g}", "seconds": bench_documents.estimate(each)})
            for each in SIZES
        )
    )
    document = benchmark(extreme, curves=(curve(points=points),), pools=(pools(case=extreme),), costs=(costs,))

    for root in drawn(document).values():
        assert not {"nan", "inf"} & {value for element in root.iter() for value in element.attrib.values()}


SIZES = (1e-300, 1e-9, 1.0, 1e9, 1e300)


def test_the_rest_of_a_long_comparison_is_said_to_be_in_its_own_file() -> None:
    """`bench.json` has none; and what was left out is said before the notes, of which there may be too many, too."""
    changes, notes = (comparison().changes[0],) * 70, [f"note {number}" for number in range(20)]

    made = charts(benchmark(), comparison(changes=changes, notes=notes))

    said = [element.text for element in ET.fromstring(made["comparison"]).iter(f"{SVG}text")]
    assert "10 more changes are in comparison.json" in said
    assert "... and 8 more, in comparison.json" in said


def test_a_growth_of_nothing_is_drawn() -> None:
    """A comparison whose every change is exactly as it was, or that has none."""
    same = comparison().changes[0].model_copy(update={"growth": GrowthDocument(value=1.0, low=1.0, high=1.0)})

    for changes in ((same,), ()):
        made = charts(benchmark(), comparison(changes=changes, threshold=1.0))
        assert ET.fromstring(made["comparison"]).get("role") == "img"


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis.up_to(1.857, start=0, end=1), [0, 0.5, 1, 1.5, 2]),
        (Axis.up_to(537.0, start=0, end=1), [0, 200, 400, 600]),
        (Axis.up_to(4.9, start=0, end=1), [0, 1, 2, 3, 4, 5]),
        (Axis.up_to(0.0, start=0, end=1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis.around([0.98, 1.33], start=0, end=1), [0.9, 1.0, 1.1, 1.2, 1.3, 1.4]),
        (Axis.decades([12e-6, 31e-6], start=0, end=1), [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5]),
        (Axis.decades([1.0, 4000.0], start=0, end=1), [0.1, 1, 10, 100, 1000]),
        (Axis.decades([], start=0, end=1), [0.1, 0.2, 0.5, 1.0]),
    ],
    ids=range(8),
)
def test_ticks_are_round(axis: Axis, ticks: list[float]) -> None:
    """One, two and five times powers of ten; all values lie on the axis."""
    assert axis.ticks == pytest.approx(ticks)
    assert axis(axis.low) == 0
    assert axis(axis.high) == 1


def test_a_text_is_cut_to_its_room() -> None:
    """With an ellipsis; wide characters count as such, and escapes are made before anything is measured."""
    assert clipped("short", 100) == "short"
    assert clipped("a" * 100, 100) == "a" * 11 + "…"
    assert text_width("表") > text_width("x")
    assert clipped("\x1b[31m", 100) == "\\x1b[31m"
    assert clipped(LONG, 100) == "x" * 11 + "…"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contrasts_are_those_of_the_guideline(scheme: str) -> None:
    """4.5 for text, 3 for what is a sign (WCAG 2.2, level AA)."""
    colours = SCHEMES[scheme]

    assert all(contrast(each, colours.ground) >= 4.5 for each in (colours.ink, colours.dim, colours.warning))
    assert all(contrast(each, colours.ground) >= 3 for each in colours.series)
    assert len(colours.series) == COLOURS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("eyes", ["all cones", "no M", "no L", "no S"])
def test_colours_differ_for_all_eyes(scheme: str, eyes: str) -> None:
    """As simulated after Machado, Oliveira and Fernandes (2009), by the distance of CIE 1976."""
    seen = [
        lab([sum(a * b for a, b in zip(row, linear(each), strict=True)) for row in EYES[eyes]])
        for each in SCHEMES[scheme].series
    ]

    assert (
        min(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 for one, other in combinations(seen, 2))
        > 25
    )


EYES = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no M": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no L": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no S": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> list[float]:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    lights = sorted(
        sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear(each), strict=True)) for each in (one, other)
    )
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def lab(rgb: list[float]) -> tuple[float, float, float]:
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    x, y, z = (
        curved(max(0.0, sum(a * b for a, b in zip(row, rgb, strict=True))) / full)
        for row, full in zip(rows, white, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def curved(t: float) -> float:
    return float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116


def test_what_cannot_have_a_growth_lacks_none() -> None:
    """Whether tools worked together is told in words; a cross stands where a number is missing."""
    changes = comparison().changes
    kept = changes[2].model_copy(
        update={"what": "together", "before": "9 of 9", "now": "10 of 10", "outcome": ChangeOutcome.NOT_WORSE}
    )

    def drawn(change: ChangeDocument) -> str:
        return charts(benchmark(), comparison(changes=(changes[0], change)))["comparison"]

    assert "9 of 9 to 10 of 10, not worse" in drawn(kept)
    assert 'class="sp-cross"' not in drawn(kept)
    assert 'class="sp-cross"' in drawn(changes[2])
