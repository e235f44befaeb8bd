"""A run file of schema 1 in the words of schema 2. Its figures stay what they were: few samples, threads as clients."""

from typing import Any

from ..vocabulary import BOUNDED, OVERLAP, RANGE, SKIP, THREE_FIELD, UNBOUNDED

_QUERIES = {"bounded": BOUNDED, "plain": UNBOUNDED}
# What schema 1 gave every series, dear or not; its unbounded query had rounds of its own, and a limit to all of them.
_SETTINGS = {"iterations": "samples", "plain_iterations": "unbounded_samples", "plain_seconds": "seconds_per_series"}


def upgraded(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file of schema 1, without its key `schema`, as schema 2 has it.

    Raises:
        KeyError, TypeError, AttributeError: something that is needed for it is missing or of another type.
    """
    settings = dict(parts["settings"])
    performance = {_SETTINGS.get(key, key): value for key, value in settings["performance"].items()}
    settings["performance"] = {**performance, "compare_indexes": False}
    settings["index"] = OVERLAP if settings.pop("covering_index") else THREE_FIELD
    new = {key: value for key, value in parts.items() if key != "plans"}
    return {
        **new,
        "settings": settings,
        "checks": [_check(check) for check in parts["checks"]],
        "costs": [_cost(cost, settings["index"]) for cost in parts["plans"]],
        "offered": [],
        "rollup": None,
        "index_uses": {},
        "samples": _in_order([_sample(sample, settings["index"]) for sample in parts["samples"]]),
        "method": 1,
    }


def _in_order(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of several clients at once came one client after the other; taken they were at the same time."""
    return sorted(samples, key=lambda sample: sample.get("iteration", 0) if sample["section"] == "concurrency" else -1)


def _check(check: dict[str, Any]) -> dict[str, Any]:
    section, against = ("ranges", UNBOUNDED) if check["section"] == "plans" else (check["section"], SKIP)
    return {**check, "section": section, "against": against}


def _cost(cost: dict[str, Any], variant: str) -> dict[str, Any]:
    kept = {key: value for key, value in cost.items() if key != "plan"}
    return {
        **kept,
        "query": _QUERIES.get(cost["plan"], cost["plan"]),
        "scenario": RANGE,
        "variant": variant,
        "stages": [],
        "server_ms": None,
    }


def _sample(sample: dict[str, Any], variant: str) -> dict[str, Any]:
    if sample["section"] != "plans":
        return sample
    return {
        **sample,
        "section": "ranges",
        "contestant": _QUERIES.get(sample["contestant"], sample["contestant"]),
        "index": variant,
    }
