"""The config's targets against what a run measured: met or missed only if there are enough samples to say so."""

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
    """One target of the config, compared with the run.

    A target applies to both scenarios. It is met if every measured scenario meets it, missed if one misses it, and
    otherwise not decided. The values here are those of the scenario that determines the verdict; if both do, those of
    the one with the higher p95.

    Attributes:
        operation: what was called, in words.
        tier: the provider's tier.
        target_ms: the target p95.
        value_ms: the measured p95; None if not measured.
        low_ms: lower end of its 95% interval; None if there is none.
        high_ms: upper end; None if there is none, as with fewer than 72 samples.
        verdict: "met" if the upper end is below the target, "missed" if the lower end is above it, otherwise "not
            decided"; "not measured" if there are no samples.
        more: for a target that is not decided, about how many more samples of a scenario would decide it; None if the
            p95 is too close to the target for a sensible number.
        scenario: the scenario that the values belong to, in words.
        n: number of samples behind the values.
        note: what a reader must know before relying on the values; empty if there is nothing to know.
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
        """The verdict; for a target that is not decided, also what it would take to decide it."""
        if self.verdict != UNDECIDED:
            return self.verdict
        if self.more is None:
            return f"{UNDECIDED}: p95 too close to target"
        return f"{UNDECIDED}: needs about {quantity(self.more, 'more sample')}"


class _Measured(NamedTuple):
    """One scenario, compared with the target."""

    scenario: str
    figures: Statistics
    verdict: str
    more: int | None

    @property
    def badness(self) -> tuple[int, float]:
        return _FROM_GOOD_TO_BAD.index(self.verdict), self.figures.p95


def target_results(run: PerformanceRun) -> list[TargetResult]:
    """Return a result for every target in the run's settings, met or not, by operation and then by tier."""
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
