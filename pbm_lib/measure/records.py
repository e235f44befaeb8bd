"""What a run holds beside its samples: comparisons, costs of queries, levels of clients, and its settings."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ..config import AtlasConfig, DataGenerationConfig, PerformanceConfig
from ..vocabulary import QUERIES
from .samples import Count

_CLOSED = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_CLOSED)
class Check:
    """Answers of two contestants to the same questions, compared claim by claim (or count by count).

    Attributes:
        section: part of the run.
        tier: the provider's tier.
        operation: what both were asked.
        compared: pairs of answers compared.
        equal: pairs that were equal.
    """

    section: str
    tier: str
    operation: str
    compared: Count
    equal: Count


@dataclass(frozen=True, config=_CLOSED)
class PlanCost:
    """What the server examined for one page; `tier`, `operation` and window are the same for both queries."""

    plan: Literal[*QUERIES]
    tier: str
    operation: str
    index: str | None
    keys_examined: Count
    docs_examined: Count
    returned: Count


@dataclass(frozen=True, config=_CLOSED)
class Level:
    """`clients` clients were at work at once for `seconds` seconds."""

    clients: Count
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=_CLOSED)
class RunSettings:
    """The settings of a run. Nothing in them names a place, a path or a user.

    Attributes:
        performance: section `performance`, with the overrides of this run.
        data_generation: section `data_generation`.
        atlas: section `atlas`, the price table.
        covering_index: whether serviceEndDate was asked to be in the index.
        page_size: claims on a page.
    """

    performance: PerformanceConfig
    data_generation: DataGenerationConfig
    atlas: AtlasConfig
    covering_index: bool
    page_size: Count
