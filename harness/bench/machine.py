"""What became of the machine between two runs, as far as a case tells: by its yardstick, which no backend changes.

Problem: a slow machine makes every backend slow, and seconds of two runs do not say which of the two it was.

Mechanism: planned work takes as long on every machine, whoever waits for it; all else is taken to change as the rest of
the yardstick's turn does, whole and part by part.

Guarantee: without a yardstick in both runs nothing is expected, and no part is said to have grown. A part that is said
to have grown without an interval is of a document that has the parts of the mean turn alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.bench.estimate import LEAST, Estimate, Grown, Measured, grown_by, growth_of, ratio_of_medians
from harness.bench.parts import Part
from harness.errors import MissingEvidence
from harness.report.bench_document import ArmDocument, CaseDocument

__all__ = ["Machine", "against", "arm_of", "without_yardstick"]

_FIXED = frozenset({Part.WORK.value, Part.SERIAL.value})
"""The parts that no machine makes shorter or longer: planned work, and waiting for it."""
_WAITING = frozenset({Part.POOL.value, Part.LOOP.value})
"""The parts that can be waiting for planned work, beside what the machine makes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a case tells of the machine, now and before: the yardstick, where there is one that was measured.

    `names` are those of the yardsticks that there were to be, whatever became of them.
    """

    now: ArmDocument | None
    before: ArmDocument | None
    names: frozenset[str]

    @classmethod
    def of(cls, now: CaseDocument, before: CaseDocument) -> "Machine":
        """By the same case of both runs."""
        names = frozenset(name for name in (now.yardstick, before.yardstick) if name is not None)
        return cls(now=_yardstick(now), before=_yardstick(before), names=names)

    @property
    def is_known(self) -> bool:
        """Whether it is known what became of it."""
        return self.now is not None and self.before is not None

    def growth(self, arm: ArmDocument, was: ArmDocument) -> Estimate | None:
        """Of what an arm takes, against what is to be expected of it; `None` if nothing can be expected."""
        if self.now is None or self.before is None:
            return None
        try:
            return growth_of(_measured(arm, self.now), _measured(was, self.before))
        except (MissingEvidence, ValueError):  # one of them failed on the way
            return None

    def parts(self, arm: ArmDocument, was: ArmDocument) -> dict[str, Grown]:
        """By how many seconds each part grew beyond what the machine makes of it, the largest growth first."""
        if self.now is None or self.before is None:
            return {}
        ours, theirs = _measured(arm, self.now), _measured(was, self.before)
        fixed = _waited(was)
        is_decided = bool(arm.part_samples and was.part_samples)
        grown: dict[str, Grown] = {}
        for part in arm.parts:
            now, before = _repetitions(arm, part), _repetitions(was, part)
            try:
                found = grown_by(now, before, now=ours, before=theirs, fixed=fixed.get(part, 0.0))
            except (MissingEvidence, ValueError):  # as above
                continue
            grown[part] = found if is_decided else Grown(seconds=found.seconds)
        return dict(sorted(grown.items(), key=lambda item: -item[1].seconds))


def against(arm: ArmDocument, yardstick: ArmDocument | None) -> Estimate | None:
    """How many times the yardstick's seconds an arm took."""
    if yardstick is None or len(arm.samples) < LEAST or len(arm.samples) != len(yardstick.samples):
        return None
    return ratio_of_medians(arm.samples, yardstick.samples)


def arm_of(case: CaseDocument, name: str | None) -> ArmDocument | None:
    """The arm of that name."""
    return next((arm for arm in case.arms if arm.name == name), None)


def without_yardstick(now: CaseDocument, before: CaseDocument) -> Iterator[str]:
    """Why nobody knows what became of the machine, where a yardstick was to tell."""
    if now.yardstick is None and before.yardstick is None:
        return
    for whose, case in (("this run", now), ("the baseline", before)):
        if _yardstick(case) is None:
            yield (
                f"{now.name}: {_nothing_of(arm_of(case, case.yardstick), whose)}: what became of the machine is not "
                f"known, and so not what became of the time of {now.reference!r}"
            )


def _yardstick(case: CaseDocument) -> ArmDocument | None:
    """That of a case, if it tells anything."""
    arm = arm_of(case, case.yardstick)
    return arm if arm is not None and arm.failure is None and len(arm.samples) >= LEAST else None


def _nothing_of(yardstick: ArmDocument | None, whose: str) -> str:
    if yardstick is None:
        return f"{whose} has no yardstick"
    if yardstick.failure is not None:
        return f"the yardstick of {whose} failed ({yardstick.failure})"
    return f"the yardstick of {whose} has {len(yardstick.samples)} repetitions, and at least {LEAST} are needed"


def _measured(arm: ArmDocument, yardstick: ArmDocument) -> Measured:
    return Measured(
        seconds=arm.samples, yardstick=yardstick.samples, fixed=_fixed(arm), yardstick_fixed=_fixed(yardstick)
    )


def _fixed(arm: ArmDocument) -> tuple[float, ...]:
    """Of each repetition; the same for all where the document is of a version that did not know them."""
    return arm.fixed or (_known_by_parts(arm),) * len(arm.samples)


def _known_by_parts(arm: ArmDocument) -> float:
    return sum(seconds for part, seconds in arm.parts.items() if part in _FIXED)


def _repetitions(arm: ArmDocument, part: str) -> Sequence[float]:
    """What each spent on a part; the mean where the document has nothing but that."""
    nothing = 0.0 if arm.part_samples else arm.parts.get(part, 0.0)
    return arm.part_samples.get(part, (nothing,) * len(arm.samples))


def _waited(arm: ArmDocument) -> Mapping[str, float]:
    """Which share (0…1) of each part no machine changes.

    What is fixed beyond the parts that are it as a whole was spent waiting, in proportion to those that may be that.
    """
    known = _known_by_parts(arm)
    waiting = sum(seconds for part, seconds in arm.parts.items() if part in _WAITING)
    beyond = (fmean(arm.fixed) if arm.fixed else known) - known
    share = min(1.0, max(0.0, beyond) / waiting) if waiting > 0 else 0.0
    return {**dict.fromkeys(_FIXED, 1.0), **dict.fromkeys(_WAITING, share)}
