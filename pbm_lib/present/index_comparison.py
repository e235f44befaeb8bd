"""The index variants side by side, for the explorer notebook: whether they agree, and their times."""

import datetime as dt
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pandas import DataFrame

from ..arguments import checked, switch
from ..claims.document import ID
from ..display import milliseconds
from ..errors import InvalidQuery, SetupError
from ..frame_style import table
from ..query.explain import QueryPlan, explain_claims
from ..query.filters import Question
from ..query.find import count_claims, find_claims
from ..query.stopwatch import timed
from ..query.stream import iter_claims
from ..store.setup import both_indexes
from ..store.store import ClaimStore
from ..vocabulary import INDEX_WORDS, INDEXES
from ..working import working
from .notes import Note, note

_ROUNDS = 5


@dataclass(frozen=True, repr=False, eq=False)
class IndexComparison:
    """What `compare_indexes` found.

    Attributes:
        frame: a pandas DataFrame with one column per index; empty if they were not compared.
        plans: the plan of the first page with each index; empty if they were not compared.
        note: why they were not compared, or what is left to do; otherwise None.
    """

    frame: DataFrame
    plans: tuple[QueryPlan, ...]
    note: Note | None = None

    def __repr__(self) -> str:
        table = "" if self.frame.empty else self.frame.to_string()
        return "\n\n".join(filter(None, (table, self.note and self.note.text)))

    def _repr_html_(self) -> str:
        shown = "" if self.frame.empty else table(self.frame.rename(columns=INDEX_WORDS)).to_html()
        return shown + (self.note.html if self.note else "")


@checked(InvalidQuery)
def compare_indexes(
    store: ClaimStore, tin: str, service_date_start: dt.date, service_date_end: dt.date, *, build: bool | str
) -> IndexComparison:
    """Query one range with the three-field and the overlap index, then keep only the index that the config names.

    The missing index is built while the other one stays in place. The two indexes then take turns at the first page and
    the total, five times each. Their pages order the claims of a day differently, so the comparison covers the total
    and the ids of all claims that overlap the range's first day, including those that began before it.

    Args:
        store: a loaded store.
        tin: the billing provider's TIN, nine digits.
        service_date_start: first service date, inclusive.
        service_date_end: last service date, inclusive.
        build: whether an index may be built on the server, which takes about 15 s for three million claims. May also be
            the text "true" or "false", as papermill's -p passes it.

    Returns:
        The comparison. If building was not allowed, the user lacks the right, or another index is in the way, it holds
        a note that says so instead of figures.

    Raises:
        InvalidQuery: an argument is invalid; the message names it.
        ServerUnavailable: the server cannot be reached.
    """
    if not switch("build", build):
        return IndexComparison(DataFrame(), (), note("Not run: build_overlap_index is False, so no index was built."))
    columns: dict[str, dict[str, Any]] = {}
    plans: list[QueryPlan] = []
    question = Question(tin, service_date_start, service_date_end)
    explain_claims(store, *question)  # so that an invalid argument is reported before anything is built
    try:
        with working("Preparing both indexes") as say, both_indexes(store):
            columns, plans = _compare(store, question, say)
            say("Restoring the index in the settings file")
    except SetupError as error:
        return IndexComparison(DataFrame(columns), tuple(plans), note(str(error)))
    return IndexComparison(DataFrame(columns), tuple(plans))


def _compare(
    store: ClaimStore, question: Question, say: Callable[[str], None]
) -> tuple[dict[str, dict[str, Any]], list[QueryPlan]]:
    """Return the results of each index, label to value, and the plans of their first pages."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    totals, touching, plans = {}, {}, {}
    stores = {index: store.using(index) for index in INDEXES}
    for number in range(_ROUNDS):
        say(f"Running the queries with both indexes, round {number + 1} of {_ROUNDS}")
        for index, its in stores.items():
            _, ms = timed(its, partial(find_claims, its, *question, with_total=False))
            times[index, "first page"].append(ms)
            totals[index], ms = timed(its, partial(count_claims, its, *question))
            times[index, "total"].append(ms)
    say("Checking that both indexes find the same claims")
    for index, its in stores.items():
        plans[index] = explain_claims(its, *question)
        touching[index] = {claim[ID] for claim in iter_claims(its, question.tin, question.start, question.start)}
    first, second = INDEXES
    same = totals[first] == totals[second] and touching[first] == touching[second]
    columns = {
        index: {
            "keys examined": f"{plans[index].keys_examined:,}",
            "documents examined": f"{plans[index].docs_examined:,}",
            f"first page, median of {_ROUNDS}": milliseconds(statistics.median(times[index, "first page"])),
            f"total, median of {_ROUNDS}": milliseconds(statistics.median(times[index, "total"])),
            "total": f"{totals[index]:,}",
            f"claims on {question.start}": f"{len(touching[index]):,}",
            "same claims, same total": same,
        }
        for index in INDEXES
    }
    return columns, list(plans.values())
