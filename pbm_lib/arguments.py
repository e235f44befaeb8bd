"""What public functions accept: their annotations, checked by `checked`, and the words in which an error says it."""

import functools
import inspect
import itertools
import reprlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .errors import InvalidCursor, InvalidQuery, PbmError
from .vocabulary import INDEXES, ORDERS, SCENARIOS

_ACCEPTED = {
    "store": "what connect(config) returned",
    "config": "what load_config(path) returned, such as store.config",
    "run": "a PerformanceRun, as PerformanceRun.load(path) reads one",
    "baseline": "a PerformanceRun, as PerformanceRun.load(path) reads one",
    "source": "a PerformanceRun, or what connect(config) returned",
    "series": "a key of series()",
    "report": "what load_claims(store) returned",
    "plans": "what explain_claims or explain_count returned",
    "acts": "a list of what explain_claims returned",
    "sample": "what claims_sample(config) returned",
    "paging": "what compare_paging(store, tin) returned",
    "frame": "a pandas DataFrame",
    "claim": "a claim document, such as find_claims(store, tin)[0]",
    "call": "a function",
    "tin": "text of nine digits, such as '411234567'",
    "service_date_start": "a date such as datetime.date(2025, 1, 31), or a datetime (naive means UTC)",
    "service_date_end": "a date such as datetime.date(2025, 1, 31), or a datetime (naive means UTC)",
    "service_date": "a date such as datetime.date(2025, 1, 31)",
    "unbounded": "what observe_claims(..., bounded=False) returned",
    "page_size": "a whole number from 1",
    "streams": "a whole number from 1 to 8",
    "cursor": "a page's next_cursor or prev_cursor",
    "index": " or ".join(INDEXES),
    "order": " or ".join(ORDERS),
    "tier": "the name of a tier, as text",
    "operation": "the name of an operation, such as 'first_page'",
    "scenario": " or ".join(SCENARIOS),
    "part": "the name of a comparison, such as 'ranges'",
    "tiers": "a list of names of tiers",
    "depths": "a list of whole numbers",
    "concurrency": "a list of whole numbers",
    **dict.fromkeys(("concurrency_seconds", "live_seconds", "seconds_per_series"), "a number of seconds above 0"),
    "hours": "a number above 0",
    "seconds": "a number of seconds above 0, at most 3,600",
    "pages_per_second": "a number above 0, at most 1,000",
    "feed_per_second": "a number from 0 to 5,000",
    "value": "a number or text",
    **dict.fromkeys(("label", "note"), "text"),
    "watch": "what watch_pages(store) returned",
    "path": "a path, as text or a Path",
    "folder": "the path of a folder, as text or a Path",
    "output_dir": "the path of a folder, as text or a Path",
    **dict.fromkeys(
        (
            "replace",
            "recheck",
            "progress",
            "with_total",
            "before_timing",
            "bounded",
            "last",
            "compare_indexes",
            "count_each_page",
        ),
        "True or False",
    ),
    **dict.fromkeys(("build", "wanted"), "true or false"),
    **dict.fromkeys(("customer", "presenter", "next_steps"), "text, which may be empty"),
    **dict.fromkeys(("start", "stop", "warmup", "unbounded_samples", "seed"), "a whole number from 0"),
    **dict.fromkeys(("count", "claims", "workers", "batch_size", "samples"), "a whole number from 1"),
}
"""Name of a parameter, which means the same wherever it stands, to what it takes, in words."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_HIDDEN = "***"
_Function = TypeVar("_Function", bound=Callable[..., Any])


def checked(error: type[PbmError]) -> Callable[[_Function], _Function]:
    """Let a function refuse what its annotations do not name; else that would end in an AttributeError somewhere.

    A parameter's own default is accepted whatever it is, and a parameter without an annotation takes anything.

    Args:
        error: what is raised; it names the argument, its value, and what is accepted.
    """

    def decorated(function: _Function) -> _Function:
        parameters, hints = inspect.signature(function).parameters, get_type_hints(function)
        kinds = {name: _kinds_of(hints[name]) for name in parameters if hints.get(name, Any) is not Any}
        words = {name: _ACCEPTED[name] + (", or None" if type(None) in kinds[name] else "") for name in kinds}
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        order = [name for name in parameters if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
        several = order[-1] if order and parameters[order[-1]].kind is inspect.Parameter.VAR_POSITIONAL else None

        # Every page pays for this; `Signature.bind` would take several times as long.
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            names = order if several is None else itertools.chain(order, itertools.repeat(several))
            for name, value in (*zip(names, arguments, strict=False), *options.items()):
                if name in kinds and value is not defaults[name] and not _is_one_of(value, kinds[name]):
                    kind = InvalidCursor if name == "cursor" else error
                    raise not_accepted(name, in_short(value), words[name], kind)
            return function(*arguments, **options)

        return call

    return decorated


def not_accepted(name: str, shown: str, accepted: str | None = None, error: type[PbmError] = InvalidQuery) -> PbmError:
    """Return the error of an argument: its name, its value as a message shows it, and what to pass instead.

    Args:
        name: the argument's.
        shown: its value, as a message shows it.
        accepted: what to pass, in words; None takes those of every argument of that name.
        error: class of the error.
    """
    return error(f"{name}: {shown} is not accepted; accepted: {accepted or _ACCEPTED[name]}.")


def in_short(value: object) -> str:
    """Return a value as a message shows it, on one line; an address may hold a password, and is hidden."""
    text = _SHORT.repr(value)
    if "mongodb" in text.lower() and ":/" in text:
        return _HIDDEN
    return text if "\n" not in text else f"a {type(value).__name__}"


def switch(name: str, value: object) -> bool:
    """Return a yes or no. It may be text, true or false in any case, as a command line passes it to a notebook."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}
    if not isinstance(value, str) or value.lower() not in known:
        raise not_accepted(name, in_short(value), _ACCEPTED["build"])
    return known[value.lower()]


def full_path(name: str, path: str | Path, error: type[PbmError]) -> Path:
    """Return the absolute path; refuse what cannot be one."""
    shown = in_short(str(path))
    try:
        if shown == _HIDDEN:
            raise ValueError("it is an address")
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as problem:  # no such user, or a character that no path may have
        raise error(f"{name}: {shown} is not a path ({str(problem).rstrip('.')}). Pass another one.") from None


def check_columns(name: str, frame: Any, columns: Sequence[str], error: type[PbmError]) -> None:
    """Refuse a DataFrame that is empty or lacks one of these columns."""
    if frame.empty or not {*columns} <= {*frame.columns}:
        shown = f"a DataFrame of {len(frame)} rows with the columns {in_short(list(frame.columns))}"
        raise not_accepted(name, shown, error=error)


def _kinds_of(hint: Any) -> tuple[type, ...]:
    """The classes that an annotation names: those of `int | None`, the list of `Sequence[int]`."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(part) or part for part in parts)


def _is_one_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # to Python a whole number as well
        return bool in kinds
    if isinstance(value, str):  # to Python a sequence as well
        return str in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)
