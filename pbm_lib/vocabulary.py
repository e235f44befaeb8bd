"""The words that run files, settings, charts, and prose share: indexes, queries, and what a run calls and compares."""

from dataclasses import dataclass
from typing import NamedTuple

THREE_FIELD, OVERLAP = INDEXES = ("three_field", "overlap")
"""The variants of the compound index. Their keys are in `store.index.VARIANTS`."""
OLDEST, NEWEST = ORDERS = ("oldest", "newest")
"""The orders of claims: which ones come first."""
BOUNDED, UNBOUNDED = QUERIES = ("bounded", "unbounded")
"""The two queries for a date range: with and without the bound on how long a claim lasts."""
KEYSET, SKIP = PAGINGS = ("keyset", "skip")
"""The two ways to reach a deep page."""
COLD, WARM = "cold", "warm"
"""Whether the claims of a page were requested earlier in the run."""
COUNT, CAPPED, ROLLUP, FACET = TOTALS = ("count_documents", "capped", "rollup", "facet")
"""The ways to get a provider's total."""
ONE_STREAM, TWO_STREAMS = STREAMS = ("one_stream", "two_streams")
"""The ways to read all claims of a provider."""
BEFORE, DURING, AFTER = PHASES = ("before", "during", "after")
"""When pages are read, relative to the feed."""
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
"""Words for everything that a run compares, by name. Each comparison is between a few of these."""


def query_words(bounded: bool) -> str:
    """Return the name of the query in words: "bounded query" or "unbounded query"."""
    return CONTESTANTS[BOUNDED if bounded else UNBOUNDED]


INDEX_WORDS = {THREE_FIELD: "three-field index", OVERLAP: "overlap index"}
"""The name of each index variant in charts and prose."""

SECTIONS = (
    "floor", "cold", "latency", "ranges", "totals", "depth", "concurrency", "open_loop", "live", "volume",
)  # fmt: skip
"""The sections of a run, in the order of the report."""


class Scenario(NamedTuple):
    """What a query asks for, worded for a table, as the title of a panel, and as a phrase after "first page of"."""

    words: str
    title: str
    phrase: str


PROVIDER, RANGE = "provider", "range"
SCENARIOS = {
    PROVIDER: Scenario("provider only", "Provider only", "all claims"),
    RANGE: Scenario("date range", "Provider and date range", "a date range"),
}
"""All claims of a provider, or only those in a range of service dates."""


@dataclass(frozen=True)
class Operation:
    """Something that a run calls and times.

    Attributes:
        name: its name in run files and settings.
        words: its name in charts and prose.
        by_tier: whether the section `latency` calls it for each tier, so that it can have a target.
        counts: whether it returns a number instead of claims.
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
"""Every operation, in the order of the report. `measure.operations.CALLS` defines how each is called."""

BY_TIER = {name: operation for name, operation in OPERATIONS.items() if operation.by_tier}
PAGES_BY_TIER = tuple(name for name, operation in BY_TIER.items() if not operation.counts)
TARGETS = {
    f"{name}_p95_ms": OPERATIONS[name] for name in (*PAGES_BY_TIER, *(n for n in BY_TIER if n not in PAGES_BY_TIER))
}
"""Maps the key of a target in the settings to the operation whose p95 it applies to."""
