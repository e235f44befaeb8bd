"""The targets of the config against what a run measured: met or missed only where the samples are enough to say so."""

from dataclasses import dataclass
from typing import NamedTuple

from ..display import NOT_MEASURED, quantity
from ..vocabulary import SCENARIOS, TARGETS
from .confidence import samples_to_decide
from .run import PerformanceRun
from .samples import Statistics, statistics_of

MET, UNDECIDED, MISSED = "met", "not decided", "missed"
_FROM_GOOD_TO_BAD = (MET, UNDECIDED, MISSED)


@dataclass(frozen=True)
class TargetResult:
    """One target of the config against the run.

    A target holds for both scenarios: it is met if each one measured is, missed if one is, and else not decided. What
    stands here is of the scenario that this hangs on; if both are alike in that, of the one with the higher p95.

    Attributes:
        operation: what was called, in words.
        tier: the provider's tier.
        target_ms: the p95 asked for.
        value_ms: the p95 measured; None if not measured.
        low_ms: lower end of its 95% interval; None if there is none.
        high_ms: upper end; None if there is none, as below 72 samples.
        verdict: "met" if the upper end is below the target, "missed" if the lower end is above it, else "not
            decided", or "not measured".
        more: about how many more samples of a scenario would decide a target that is not decided; None where the
            p95 is too near the target for a sensible number.
        scenario: that scenario, in words.
        n: samples behind it.
        note: what a reader must know before relying on the value; empty if nothing.
    """

    operation: str
    tier: str
    target_ms: float
    value_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    verdict: str = NOT_MEASURED
    more: int | None = None
    scenario: str = ""
    n: int = 0
    note: str = ""

    @property
    def verdict_words(self) -> str:
        """The verdict, and what it would take to decide a target that is not decided."""
        if self.verdict != UNDECIDED:
            return self.verdict
        if self.more is None:
            return f"{UNDECIDED}: p95 too close to target"
        return f"{UNDECIDED}: needs about {quantity(self.more, 'more sample')}"


class _Measured(NamedTuple):
    """One scenario against the target."""

    scenario: str
    figures: Statistics
    verdict: str
    more: int | None

    @property
    def badness(self) -> tuple[int, float]:
        return _FROM_GOOD_TO_BAD.index(self.verdict), self.figures.p95


def target_results(run: PerformanceRun) -> list[TargetResult]:
    """Return every target of the run's settings, met or not, in the order of operations and tiers."""
    results = []
    for name, operation in TARGETS.items():
        by_tier = run.settings.performance.targets.get(name, {})
        for tier in sorted(by_tier, key=lambda tier: -run.claims_per_provider(tier)):
            measured = [
                found
                for scenario in SCENARIOS
                if (found := _measured(run, by_tier[tier], **run.latency_labels(tier, operation.name, scenario)))
            ]
            results.append(_result(operation.words, tier, by_tier[tier], measured))
    return results


def _measured(run: PerformanceRun, target_ms: float, **labels: str) -> _Measured | None:
    samples = run.select(**labels)
    figures = statistics_of(samples)
    if not figures.n:
        return None
    verdict, more = UNDECIDED, None
    if figures.p95_high is not None and figures.p95_high < target_ms:
        verdict = MET
    elif figures.p95_low is not None and figures.p95_low > target_ms:
        verdict = MISSED
    else:
        more = samples_to_decide(figures.n, sum(sample.counts and sample.ms > target_ms for sample in samples))
    return _Measured(SCENARIOS[labels["scenario"]].words, figures, verdict, more)


def _result(operation: str, tier: str, target_ms: float, measured: list[_Measured]) -> TargetResult:
    if not measured:
        return TargetResult(operation, tier, target_ms)
    worst = max(measured, key=lambda found: found.badness)
    undecided = [found.more for found in measured if found.verdict == UNDECIDED]
    return TargetResult(
        operation=operation,
        tier=tier,
        target_ms=target_ms,
        value_ms=worst.figures.p95,
        low_ms=worst.figures.p95_low,
        high_ms=worst.figures.p95_high,
        verdict=worst.verdict,
        more=max(undecided) if worst.verdict == UNDECIDED and None not in undecided else None,
        scenario=worst.scenario,
        n=worst.figures.n,
        note="; ".join(worst.figures.notes),
    )
