"""The words that run files, settings, charts and prose share: indexes, queries, and what a run calls and compares."""

from dataclasses import dataclass
from typing import NamedTuple

THREE_FIELD, OVERLAP = INDEXES = ("three_field", "overlap")
"""The variants of the compound index. Their keys stand in `store.index.VARIANTS`."""
OLDEST, NEWEST = ORDERS = ("oldest", "newest")
"""Which claims come first."""
BOUNDED, UNBOUNDED = QUERIES = ("bounded", "unbounded")
"""The two queries for a date range: with the bound on how long a claim lasts, and without it."""
KEYSET, SKIP = PAGINGS = ("keyset", "skip")
"""The two ways to a deep page."""
COLD, WARM = VISITS = ("cold", "warm")
"""Whether the claims of a page were asked for earlier in the run."""
COUNT, CAPPED, ROLLUP, FACET = TOTALS = ("count_documents", "capped", "rollup", "facet")
"""The ways to a provider's total."""
ONE_STREAM, TWO_STREAMS = STREAMS = ("one_stream", "two_streams")
"""The ways to read a whole provider."""
BEFORE, DURING, AFTER = PHASES = ("before", "during", "after")
"""Whether claims arrive while pages are read."""
CONTESTANTS = {
    BOUNDED: "bounded query",
    UNBOUNDED: "unbounded query",
    KEYSET: "keyset",
    SKIP: "skip/limit",
    COLD: "cold",
    WARM: "warm",
    COUNT: "count_documents",
    CAPPED: "capped count",
    ROLLUP: "rollup",
    FACET: "$facet",
    ONE_STREAM: "one stream",
    TWO_STREAMS: "two streams",
    BEFORE: "before the feed",
    DURING: "during the feed",
    AFTER: "after the feed",
}
"""Some of these are compared at a time: name to words."""


def query_words(bounded: bool) -> str:
    """Return which of the two queries it is, in words: "bounded query" or "unbounded query"."""
    return CONTESTANTS[BOUNDED if bounded else UNBOUNDED]


INDEX_WORDS = {THREE_FIELD: "three-field index", OVERLAP: "overlap index"}
"""A variant of the index in charts and prose."""

SECTIONS = (
    "floor", "cold", "latency", "ranges", "totals", "depth", "concurrency", "open_loop", "live", "volume",
)  # fmt: skip
"""Parts of a run, in the order of the report."""


class Scenario(NamedTuple):
    """What is asked of a provider: in a table, as the title of a panel, and as a phrase after "first page of"."""

    words: str
    title: str
    phrase: str


PROVIDER, RANGE = "provider", "range"
SCENARIOS = {
    PROVIDER: Scenario("provider only", "Provider only", "all claims"),
    RANGE: Scenario("date range", "Provider and date range", "a date range"),
}
"""All claims of a provider, or those in a range of service dates."""


@dataclass(frozen=True)
class Operation:
    """Something that a run calls and times.

    Attributes:
        name: in run files and settings.
        words: in charts and prose.
        by_tier: whether the section latency calls it for each tier, so that it may have a target.
        counts: whether its answer is a number, not claims.
    """

    name: str
    words: str
    by_tier: bool = False
    counts: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("ping", "ping", counts=True),
        Operation("count", "total", by_tier=True, counts=True),
        Operation("first_page", "first page", by_tier=True),
        Operation("next_page", "next page", by_tier=True),
        Operation("deep_page", "deep page", by_tier=True),
        Operation("page", "page"),
        Operation("page_and_total", "page and total in one call"),
        Operation("build", "build", counts=True),
        Operation("stream", "whole provider streamed"),
    )
}
"""Every operation, in the order of the report. How one is called stands in `measure.operations.CALLS`."""

BY_TIER = {name: operation for name, operation in OPERATIONS.items() if operation.by_tier}
PAGES_BY_TIER = tuple(name for name, operation in BY_TIER.items() if not operation.counts)
TARGETS = {
    f"{name}_p95_ms": OPERATIONS[name] for name in (*PAGES_BY_TIER, *(n for n in BY_TIER if n not in PAGES_BY_TIER))
}
"""Key of a target in the settings, to the operation whose p95 it is for."""
