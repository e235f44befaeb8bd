"""Argument checks for public functions: `checked` enforces their annotations, and `not_accepted` builds the errors."""

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
    "store": "a store from connect(config)",
    "config": "settings from load_config(path), such as store.config",
    "run": "a PerformanceRun, such as PerformanceRun.load(path)",
    "baseline": "a PerformanceRun, such as PerformanceRun.load(path)",
    "source": "a PerformanceRun or a store from connect(config)",
    "series": "a key of series()",
    "report": "a report from load_claims(store)",
    "plans": "a result of explain_claims or explain_count",
    "acts": "a list of results of explain_claims",
    "sample": "a sample from claims_sample(config)",
    "paging": "a result of compare_paging(store, tin)",
    "frame": "a pandas DataFrame",
    "claim": "a claim document, such as find_claims(store, tin)[0]",
    "call": "a function",
    "tin": "nine digits as text, such as '411234567'",
    "service_date_start": "a date such as datetime.date(2025, 1, 31) or a datetime (naive means UTC)",
    "service_date_end": "a date such as datetime.date(2025, 1, 31) or a datetime (naive means UTC)",
    "service_date": "a date such as datetime.date(2025, 1, 31)",
    "unbounded": "a result of observe_claims(..., bounded=False)",
    "bounded": "a result of observe_claims",
    "page_size": "a whole number of at least 1",
    "streams": "a whole number from 1 to 8",
    "cursor": "a page's next_cursor or prev_cursor",
    "index": " or ".join(INDEXES),
    "order": " or ".join(ORDERS),
    "tier": "the name of a tier",
    "operation": "the name of an operation, such as 'first_page'",
    "scenario": " or ".join(SCENARIOS),
    "part": "the name of a comparison, such as 'ranges'",
    "tiers": "a list of tier names",
    "depths": "a list of whole numbers",
    "days": "a list of whole numbers, each at least the bound that the server enforces",
    "concurrency": "a list of whole numbers",
    **dict.fromkeys(("concurrency_seconds", "live_seconds", "seconds_per_series"), "a number of seconds above 0"),
    "hours": "a number above 0",
    "seconds": "a number of seconds above 0 and at most 3,600",
    "pages_per_second": "a number above 0 and at most 1,000",
    "feed_per_second": "a number from 0 to 5,000",
    "value": "a number or text",
    **dict.fromkeys(("label", "note"), "text"),
    "watch": "a result of watch_pages(store)",
    "path": "a path as text or a Path",
    "folder": "a folder as text or a Path",
    "output_dir": "a folder as text or a Path",
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
    **dict.fromkeys(("customer", "presenter", "next_steps"), "text (may be empty)"),
    **dict.fromkeys(("start", "stop", "warmup", "unbounded_samples", "seed"), "a whole number of at least 0"),
    **dict.fromkeys(("count", "claims", "workers", "batch_size", "samples"), "a whole number of at least 1"),
}
"""What a parameter must be, by its name. A name means the same in every function."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_HIDDEN = "***"
_Function = TypeVar("_Function", bound=Callable[..., Any])


def checked(error: type[PbmError]) -> Callable[[_Function], _Function]:
    """Return a decorator that makes a function reject arguments whose types its annotations do not name.

    Without it, such an argument would cause an AttributeError somewhere inside the function. A parameter's own default
    is always accepted, and a parameter without an annotation accepts anything.

    Args:
        error: class of the error to raise; a wrong `cursor` always raises InvalidCursor. The message names the
            argument, its value, and what is accepted.
    """

    def decorated(function: _Function) -> _Function:
        parameters, hints = inspect.signature(function).parameters, get_type_hints(function)
        kinds = {name: _kinds_of(hints[name]) for name in parameters if hints.get(name, Any) is not Any}
        words = {name: _ACCEPTED[name] + (", or None" if type(None) in kinds[name] else "") for name in kinds}
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        order = [name for name in parameters if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
        several = order[-1] if order and parameters[order[-1]].kind is inspect.Parameter.VAR_POSITIONAL else None

        # This runs for every page, and `Signature.bind` would take several times as long.
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
    """Return the error for a rejected argument. Its message gives the name, what is accepted, and the value.

    Args:
        name: the argument's name.
        shown: the argument's value, as the message shows it.
        accepted: what the argument must be, in words; None uses the standard words for that name.
        error: class of the error.
    """
    return error(f"{name} must be {accepted or _ACCEPTED[name]}, got {shown}.")


def in_short(value: object) -> str:
    """Return a value as a message shows it: on one line, and masked if it may contain an address with a password."""
    text = _SHORT.repr(value)
    if "mongodb" in text.lower() and ":/" in text:
        return _HIDDEN
    return text if "\n" not in text else f"a {type(value).__name__}"


def switch(name: str, value: object) -> bool:
    """Return a switch as a bool. A command line passes it to a notebook as text: true or false, in any case."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}
    if not isinstance(value, str) or value.lower() not in known:
        raise not_accepted(name, in_short(value), _ACCEPTED["build"])
    return known[value.lower()]


def full_path(name: str, path: str | Path, error: type[PbmError]) -> Path:
    """Return the absolute path; reject a value that cannot be a path."""
    shown = in_short(str(path))
    try:
        if shown == _HIDDEN:
            raise ValueError("an address")
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as problem:  # unknown user after ~, or invalid character
        raise error(f"{name} must be a valid path, got {shown} ({str(problem).rstrip('.')}).") from None


def check_columns(name: str, frame: Any, columns: Sequence[str], error: type[PbmError]) -> None:
    """Reject a DataFrame that is empty or lacks one of these columns."""
    if frame.empty or not {*columns} <= {*frame.columns}:
        shown = f"a DataFrame with {len(frame)} rows and the columns {in_short(list(frame.columns))}"
        raise not_accepted(name, shown, error=error)


def _kinds_of(hint: Any) -> tuple[type, ...]:
    """The classes that an annotation names: int and NoneType for `int | None`, Sequence for `Sequence[int]`."""
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(part) or part for part in parts)


def _is_one_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # a bool is also an int, but is not accepted as a number
        return bool in kinds
    if isinstance(value, str):  # a str is also a Sequence, but is not accepted as a list
        return str in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)
