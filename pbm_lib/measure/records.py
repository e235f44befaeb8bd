"""What a run holds besides its samples: comparisons, query costs, rates, arrivals, the rollup, and its settings."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..config import AtlasConfig, DataGenerationConfig, PerformanceConfig
from ..vocabulary import CONTESTANTS, INDEXES, OPERATIONS, QUERIES, SCENARIOS, SECTIONS
from .samples import Count

_CLOSED = ConfigDict(extra="forbid")
Cpus = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Number of processors kept busy: 1.5 means one and a half of them, all the time."""
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerSecond = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=_CLOSED)
class Check:
    """A comparison of two contestants' answers to the same questions, claim by claim (or count by count).

    Attributes:
        section: part of the run.
        tier: the provider's tier.
        operation: what was called.
        against: the contestant, or the index variant, that was compared with the application's own method.
        compared: pairs of answers compared.
        equal: pairs that were equal.
    """

    section: Literal[*SECTIONS]
    tier: str
    operation: Literal[*OPERATIONS]
    against: Literal[*CONTESTANTS, *INDEXES]
    compared: Count
    equal: Count


@dataclass(frozen=True, config=_CLOSED)
class QueryCost:
    """The server's explain figures for one query, taken once, outside the timed calls.

    Attributes:
        operation: what was explained.
        tier: the provider's tier.
        scenario: one of `vocabulary.SCENARIOS`.
        query: one of `vocabulary.QUERIES`; without a date range, the two are the same, and this is "bounded".
        variant: the index variant in use; None if unknown.
        index: name of the index on the server; None if none was used, or if two counts used different ones.
        stages: names of the stages, outermost first; for a total made of two counts, those of both.
        keys_examined: index keys examined.
        docs_examined: documents examined.
        returned: documents returned, or counted.
        server_ms: time reported by the server, in whole ms; None if unknown.
    """

    operation: Literal[*OPERATIONS]
    tier: str
    scenario: Literal[*SCENARIOS]
    query: Literal[*QUERIES]
    variant: Literal[*INDEXES] | None
    index: str | None
    stages: tuple[str, ...]
    keys_examined: Count
    docs_examined: Count
    returned: Count
    server_ms: Count | None = None


@dataclass(frozen=True, config=_CLOSED)
class Level:
    """A number of concurrent clients, each asking for pages without a pause (closed loop).

    Attributes:
        clients: number of clients.
        seconds: how long they worked: the time from the common start to a client's own last answer, averaged over the
            clients.
        client_cpu: processors that all clients together kept busy; None if unknown.
        server_cpu: processors that the server kept busy; None if it runs on another machine, or if unknown.
        machine_cpu: processors of the clients' machine that any process kept busy; None if unknown.
    """

    clients: Count
    seconds: Rate
    client_cpu: Cpus | None = None
    server_cpu: Cpus | None = None
    machine_cpu: Cpus | None = None


@dataclass(frozen=True, config=_CLOSED)
class OfferedRate:
    """Calls that start at a fixed rate, whether or not earlier ones have ended (open loop).

    Attributes:
        load: the rate as a percentage of the highest rate that the closed loop reached.
        clients: client processes that shared the calls.
        offered: calls per second that were due.
        seconds: time from the common start to the last answer, but at least the time in which calls were due.
        client_cpu: as in `Level`.
        server_cpu: as in `Level`.
        machine_cpu: as in `Level`.
    """

    load: Count
    clients: Count
    offered: Rate
    seconds: Rate
    client_cpu: Cpus | None = None
    server_cpu: Cpus | None = None
    machine_cpu: Cpus | None = None


@dataclass(frozen=True, config=_CLOSED)
class Arrivals:
    """Claims that were fed while pages were read at a fixed rate, and what the pages showed.

    A burst came first, at twice the requested rates. If it fell short of a rate (of claims or of pages), half of what
    it reached was used instead of the requested rate.

    Attributes:
        offered: claims per second that were due.
        achieved: claims per second that arrived.
        pages_offered: pages per second that were due before, during, and after the feed.
        burst_offered: claims per second that were due in the burst.
        burst_achieved: claims per second that arrived in the burst.
        fed: claims that arrived, including those of the burst.
        removed: claims that were removed afterwards.
        left: fed claims still in the collection; 0 unless they could not be removed.
        seen: fed claims seen on pages.
        checked: claims present at the start and seen in their place, over all walks.
        lost: claims present at the start that a walk passed without seeing.
        repeated: claims that a walk saw twice or out of order.
        elections: changes of primary during the burst and the three phases.
    """

    offered: Rate
    achieved: PerSecond
    pages_offered: Rate
    burst_offered: Rate
    burst_achieved: PerSecond
    fed: Count
    removed: Count
    left: Count
    seen: Count
    checked: Count
    lost: Count
    repeated: Count
    elections: Count = 0

    @property
    def is_halved(self) -> bool:
        """Whether the burst fell short, so that claims then arrived at half of what the server had accepted."""
        return self.offered < self.burst_offered / 2

    @property
    def is_exact(self) -> bool:
        """Whether each walk saw every claim present at the start exactly once, in order."""
        return not (self.lost or self.repeated)


@dataclass(frozen=True, config=_CLOSED)
class Rollup:
    """A collection of totals per provider and month that the run built, queried, and dropped again.

    Attributes:
        as_of: when the build began, UTC; claims written after that may be missing.
        documents: number of its documents.
        claims: number of claims that these documents count.
    """

    as_of: AwareDatetime
    documents: Count
    claims: Count


@dataclass(frozen=True, config=_CLOSED)
class RunSettings:
    """The settings of a run. They contain no address, path, or user name.

    Attributes:
        performance: section `performance`, with the overrides of this run.
        data_generation: section `data_generation`.
        atlas: section `atlas`, the price table.
        index: the index variant that the config names.
        page_size: claims per page.
    """

    performance: PerformanceConfig
    data_generation: DataGenerationConfig
    atlas: AtlasConfig
    index: Literal[*INDEXES]
    page_size: Count
