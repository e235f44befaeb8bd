"""What a watch saw."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..display import ShownAsFacts, milliseconds
from .elections import Election
from .walker import PageSample

_LEAST = {50: 1, 95: 20, 99: 100}


@dataclass(frozen=True, repr=False)
class Watch(ShownAsFacts):
    """Pages that were asked for at a fixed rate, while claims arrived or not.

    Attributes:
        tin: whose pages; None if providers were drawn.
        seconds: how long the watch went on.
        samples: a sample each page asked for, in order.
        pages_offered: pages a second that were due.
        unasked: pages that were due and never asked for, since those before them took too long.
        feed_offered: claims a second that were due to arrive.
        feed: (seconds from the start, claims), an entry for each batch that arrived.
        feed_errors: (what went wrong, how often) of the feed.
        elections: changes of primary.
        walks: walks that came to the provider's last claim.
        checked: claims that were there at the start and were seen in their place, on all walks together.
        lost: claims that were there at the start and that a walk passed without seeing them.
        repeated: claims that a walk saw twice, or out of order.
        arrived: fed claims seen on pages.
        removed: fed claims removed at the end.
        notes: what else is to be known.
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
        """The samples with a page."""
        return tuple(sample for sample in self.samples if sample.error is None)

    @property
    def pages_achieved(self) -> float:
        """Pages a second that came."""
        return len(self.pages) / self.seconds if self.seconds else 0.0

    @property
    def fed(self) -> int:
        """Fed claims that the server acknowledged."""
        return sum(claims for _, claims in self.feed)

    @property
    def feed_achieved(self) -> float:
        """Claims a second that arrived."""
        return self.fed / self.seconds if self.seconds else 0.0

    @property
    def p50_ms(self) -> float | None:
        """Median ms from the moment at which a page was meant to be asked for to its end; None without a page."""
        return self._percentile(50)

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of these; None with fewer than 20 pages."""
        return self._percentile(95)

    @property
    def p99_ms(self) -> float | None:
        """The 99th percentile of these; None with fewer than 100 pages."""
        return self._percentile(99)

    @property
    def longest_gap_ms(self) -> float:
        """The longest time without a page, in ms: between the ends of two, from the start, or to the end."""
        ends = [0.0, *(page.end for page in self.pages)]
        return round(float(np.diff([*ends, max(self.seconds, ends[-1])]).max()) * 1000, 4)

    @property
    def retries(self) -> int:
        """Commands that failed and that the driver sent again."""
        return sum(sample.retries for sample in self.samples)

    @property
    def errors(self) -> dict[str, int]:
        """Kind of error of a page to how many ended with it."""
        return dict(Counter(sample.error for sample in self.samples if sample.error))

    def facts(self) -> dict[str, str]:
        """Return what a reader wants to know of this watch, label to value."""
        facts = {
            "Pages": f"{len(self.pages):,} in {self.seconds:.1f} s, {self.pages_achieved:.1f} of "
            f"{self.pages_offered:g} a second",
            "Page time": f"p50 {milliseconds(self.p50_ms)}, p95 {milliseconds(self.p95_ms)}, "
            f"p99 {milliseconds(self.p99_ms)}, from the moment at which the page was due",
            "Longest gap": milliseconds(self.longest_gap_ms),
            "Claims": f"{self.checked:,} checked, {self.lost:,} lost, {self.repeated:,} repeated; {self.walks:,} "
            f"walk{'s' if self.walks != 1 else ''} to the last claim",
        }
        if self.feed_offered:
            facts["Feed"] = (
                f"{self.fed:,} claims, {self.feed_achieved:,.0f} of {self.feed_offered:g} a second; "
                f"{self.arrived:,} seen on pages, {self.removed:,} removed at the end"
            )
        if self.elections:
            facts["Elections"] = "; ".join(
                f"after {election.at:.1f} s from {election.before} to {election.after}" for election in self.elections
            )
        if self.retries or self.errors:
            facts["Trouble"] = ", ".join([f"{self.retries:,} retries by the driver", *_counted(self.errors.items())])
        if self.feed_errors:
            facts["Trouble of the feed"] = "; ".join(_counted(self.feed_errors))
        if self.notes:
            facts["Notes"] = " ".join(self.notes)
        return facts

    def _percentile(self, percent: int) -> float | None:
        if len(self.pages) < _LEAST[percent]:
            return None
        return round(float(np.percentile([page.ms for page in self.pages], percent)), 4)


def _counted(errors) -> list[str]:
    return [f"{count:,} x {kind}" for kind, count in errors]
