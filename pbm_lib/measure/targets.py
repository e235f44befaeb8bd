"""The targets of the config against what a run measured."""

from dataclasses import dataclass

from ..display import NOT_MEASURED
from ..vocabulary import SCENARIOS, TARGETS
from .run import PerformanceRun


@dataclass(frozen=True)
class TargetResult:
    """One target of the config against the run.

    Attributes:
        operation: what was called, in words.
        tier: the provider's tier.
        target_ms: the p95 asked for.
        value_ms: the p95 measured, of the slower scenario; None if not measured.
        scenario: that scenario, in words.
        n: samples behind it.
        note: why the value is weak, if it is.
    """

    operation: str
    tier: str
    target_ms: float
    value_ms: float | None
    scenario: str
    n: int
    note: str

    @property
    def met(self) -> bool | None:
        """Whether the value is at or below the target; None if nothing was measured."""
        return None if self.value_ms is None else self.value_ms <= self.target_ms

    @property
    def verdict(self) -> str:
        """met, missed or not measured."""
        return NOT_MEASURED if self.met is None else "met" if self.met else "missed"


def target_results(run: PerformanceRun) -> list[TargetResult]:
    """Return every target of the run's settings, met or not, in the order of operations and tiers."""
    results = []
    for name, operation in TARGETS.items():
        by_tier = run.settings.performance.targets.get(name, {})
        for tier in sorted(by_tier, key=lambda tier: -run.claims_per_provider(tier)):
            labels = {"section": "latency", "operation": operation.name, "tier": tier}
            found = {
                asked.words: figures
                for scenario, asked in SCENARIOS.items()
                if (figures := run.statistics(scenario=scenario, **labels)).n
            }
            slower = max(found, key=lambda words: found[words].p95, default="")
            figures = found.get(slower)
            results.append(
                TargetResult(
                    operation=operation.words,
                    tier=tier,
                    target_ms=by_tier[tier],
                    value_ms=figures.p95 if figures else None,
                    scenario=slower,
                    n=figures.n if figures else 0,
                    note="; ".join(figures.notes) if figures else "",
                )
            )
    return results
