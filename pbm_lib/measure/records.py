"""What a run holds beside its samples: comparisons, costs of queries, rates, uses of indexes, and its settings."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..config import AtlasConfig, DataGenerationConfig, PerformanceConfig
from ..vocabulary import CONTESTANTS, INDEXES, OPERATIONS, QUERIES, SCENARIOS, SECTIONS
from .samples import Count

_CLOSED = ConfigDict(extra="forbid")
Cpus = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Processors kept busy: 1.5 is one and a half of them, all the time."""
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerSecond = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=_CLOSED)
class Check:
    """Answers of two contestants to the same questions, compared claim by claim (or count by count).

    Attributes:
        section: part of the run.
        tier: the provider's tier.
        operation: what both were asked.
        against: the contestant, or the variant of the index, that was held against the application's own way.
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
    """What the server says of one query: its explain, taken once for an operation and tier, outside of timed calls.

    Attributes:
        operation: what was asked.
        tier: the provider's tier.
        scenario: one of `vocabulary.SCENARIOS`.
        query: one of `vocabulary.QUERIES`; without a date range both are the same, "bounded".
        variant: which variant of the index was in use; None if it is not known.
        index: name of the index on the server; None if none was used.
        stages: names of the stages, outermost first; of a total in two counts, those of both.
        keys_examined: index keys looked at.
        docs_examined: documents fetched.
        returned: documents returned, or counted.
        server_ms: what the server says that it took, in whole ms; None if it is not known.
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
    """So many clients at work at once, each asking without a pause (closed loop).

    Attributes:
        clients: how many.
        seconds: for how long, in the mean of the clients, each from the common start to its own last answer.
        client_cpu: processors that all clients together kept busy; None if it is not known.
        server_cpu: processors that the server kept busy; None if it runs elsewhere, or it is not known.
        machine_cpu: processors of the clients' machine that anybody kept busy; None if it is not known.
    """

    clients: Count
    seconds: Rate
    client_cpu: Cpus | None = None
    server_cpu: Cpus | None = None
    machine_cpu: Cpus | None = None


@dataclass(frozen=True, config=_CLOSED)
class OfferedRate:
    """Calls that begin at a rate, whether or not the ones before have ended (open loop).

    Attributes:
        load: the rate in percent of the highest that the closed loop reached.
        clients: client processes that shared it.
        offered: calls a second that were meant to start.
        seconds: from the common start to the last answer, and at least as long as calls were meant to start.
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

    A burst came first, at twice the rates that were asked for. A rate that it did not reach was halved: the claims, or
    the pages, then came at half of what it reached.

    Attributes:
        offered: claims a second that were due.
        achieved: claims a second that arrived.
        pages_offered: pages a second that were due, before, during and after the feed.
        burst_offered: claims a second that were due in the burst.
        burst_achieved: claims a second that arrived in it.
        fed: claims that arrived, those of the burst included.
        removed: claims that were removed afterwards.
        left: fed claims that are still there; 0 unless they could not be removed.
        seen: fed claims seen on pages.
        checked: claims that were there beforehand and were seen in their place, on all walks together.
        lost: such claims that a walk passed without seeing them.
        repeated: claims that a walk saw twice, or out of order.
        elections: changes of primary meanwhile.
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
        """Whether the server took less than twice the rate that was asked for, so that it got half of what it took."""
        return self.offered < self.burst_offered / 2

    @property
    def is_exact(self) -> bool:
        """Whether each claim that was there beforehand came exactly once a walk, in order."""
        return not (self.lost or self.repeated)


@dataclass(frozen=True, config=_CLOSED)
class Rollup:
    """A collection of totals by provider and month that the run made, asked, and dropped again.

    Attributes:
        as_of: when its making began, UTC; what was written since need not be in it.
        documents: how many it had.
        claims: how many claims they stood for.
    """

    as_of: AwareDatetime
    documents: Count
    claims: Count


@dataclass(frozen=True, config=_CLOSED)
class RunSettings:
    """The settings of a run. Nothing in them names a place, a path or a user.

    Attributes:
        performance: section `performance`, with the overrides of this run.
        data_generation: section `data_generation`.
        atlas: section `atlas`, the price table.
        index: the variant of the index that the config names.
        page_size: claims on a page.
    """

    performance: PerformanceConfig
    data_generation: DataGenerationConfig
    atlas: AtlasConfig
    index: Literal[*INDEXES]
    page_size: Count
