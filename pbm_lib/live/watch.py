"""The result of a watch."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..display import ShownAsFacts, milliseconds, quantity
from .elections import Election
from .walker import PageSample

FEWEST_FOR = {50: 1, 95: 20, 99: 100}
"""Percentile to the fewest times from which it is shown."""


@dataclass(frozen=True, repr=False)
class Watch(ShownAsFacts):
    """What `watch_pages` saw: pages requested at a fixed rate, with or without arriving claims.

    Attributes:
        tin: the provider's TIN; None if providers were drawn at random.
        seconds: how long the watch lasted.
        samples: one sample per page requested, in order.
        pages_offered: pages per second that were due.
        unasked: pages that were due but never requested, because earlier ones took too long.
        feed_offered: claims per second that were due to arrive.
        feed: (seconds from the start, claims), one entry per batch that arrived.
        feed_errors: (what went wrong in the feed, how often).
        elections: changes of primary.
        walks: walks that reached the provider's last claim.
        checked: claims present at the start and seen in their place, over all walks.
        lost: claims present at the start that a walk passed without seeing.
        repeated: claims that a walk saw twice or out of order.
        arrived: fed claims seen on pages.
        removed: fed claims removed at the end.
        notes: anything else to know.
    """

    tin: str | None
    seconds: float
    samples: tuple[PageSample, ...]
    pages_offered: float
    unasked: int
    feed_offered: float
    feed: tuple[tuple[float, int], ...]
    feed_errors: tuple[tuple[str, int], ...]
    elections: tuple[Election, ...]
    walks: int
    checked: int
    lost: int
    repeated: int
    arrived: int
    removed: int
    notes: tuple[str, ...]

    @cached_property
    def pages(self) -> tuple[PageSample, ...]:
        """The samples of requests that returned a page."""
        return tuple(sample for sample in self.samples if sample.error is None)

    @property
    def pages_achieved(self) -> float:
        """Pages per second received."""
        return len(self.pages) / self.seconds if self.seconds else 0.0

    @property
    def fed(self) -> int:
        """Fed claims that the server acknowledged."""
        return sum(claims for _, claims in self.feed)

    @property
    def feed_achieved(self) -> float:
        """Claims per second that arrived."""
        return self.fed / self.seconds if self.seconds else 0.0

    @property
    def p50_ms(self) -> float | None:
        """Median time in ms from when a page was due until it arrived; None if no page arrived."""
        return self._percentile(50)

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of the page times in ms; None with fewer than 20 pages."""
        return self._percentile(95)

    @property
    def p99_ms(self) -> float | None:
        """99th percentile of the page times in ms; None with fewer than 100 pages."""
        return self._percentile(99)

    @property
    def longest_gap_ms(self) -> float:
        """The longest time without a page, in ms, including the start and the end of the watch."""
        ends = [0.0, *(page.end for page in self.pages)]
        return round(float(np.diff([*ends, max(self.seconds, ends[-1])]).max()) * 1000, 4)

    @property
    def retries(self) -> int:
        """Commands that failed and were resent by the driver."""
        return sum(sample.retries for sample in self.samples)

    @property
    def errors(self) -> dict[str, int]:
        """How many requests ended with each kind of error."""
        return dict(Counter(sample.error for sample in self.samples if sample.error))

    def facts(self) -> dict[str, str]:
        """Return facts about this watch, by label."""
        facts = {
            "Pages": f"{len(self.pages):,} in {self.seconds:.1f} s, {self.pages_achieved:.1f} of "
            f"{self.pages_offered:g} per second",
            "Page time": f"p50 {milliseconds(self.p50_ms)}, p95 {milliseconds(self.p95_ms)}, "
            f"p99 {milliseconds(self.p99_ms)}, from when the page was due",
            "Longest gap": f"{milliseconds(self.longest_gap_ms)} without a page",
            "Claims": f"{self.checked:,} checked, {self.lost:,} lost, {self.repeated:,} repeated; "
            f"reached a provider's last claim {quantity(self.walks, 'time')}",
        }
        if self.feed_offered:
            facts["Feed"] = (
                f"{self.fed:,} claims, {self.feed_achieved:,.0f} of {self.feed_offered:g} per second; "
                f"{self.arrived:,} of them came up on the pages read, {self.removed:,} removed at the end"
            )
        if self.elections:
            facts["Elections"] = "; ".join(
                f"after {election.at:.1f} s from {election.before} to {election.after}" for election in self.elections
            )
        if self.retries or self.errors:
            facts["Errors"] = ", ".join([f"{self.retries:,} retries by the driver", *_counted(self.errors.items())])
        if self.feed_errors:
            facts["Feed errors"] = "; ".join(_counted(self.feed_errors))
        if self.notes:
            facts["Notes"] = " ".join(self.notes)
        return facts

    def _percentile(self, percent: int) -> float | None:
        if len(self.pages) < FEWEST_FOR[percent]:
            return None
        return round(float(np.percentile([page.ms for page in self.pages], percent)), 4)


def _counted(errors) -> list[str]:
    return [f"{count:,} x {kind}" for kind, count in errors]
