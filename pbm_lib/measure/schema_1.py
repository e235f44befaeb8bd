"""Convert run files of schema 1 to schema 2. Their figures stay what they were: few samples, threads as clients."""

from typing import Any

from ..vocabulary import BOUNDED, OVERLAP, RANGE, SKIP, THREE_FIELD, UNBOUNDED

_QUERIES = {"bounded": BOUNDED, "plain": UNBOUNDED}
# In schema 1, every series had the same number of samples, however slow. Its unbounded query had its own number of
# rounds, and a time limit for all of them together.
_SETTINGS = {"iterations": "samples", "plain_iterations": "unbounded_samples", "plain_seconds": "seconds_per_series"}


def upgraded(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file of schema 1, given without its key `schema`, in the form of schema 2.

    Raises:
        KeyError, TypeError, AttributeError: something required is missing or of another type.
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
    """Interleave the samples of concurrent clients: schema 1 listed them by client, but they were taken together."""
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
