"""What the benchmarks share: contestants that take turns, and the file where the figures are left."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parents[2] / "outputs" / "benchmarks"


def in_turn(number: int, *contestants: Callable[[], Any]) -> list[Any]:
    """Call each, in odd rounds the last one first, so that none profits from its place; answers in the order given."""
    places = range(len(contestants))
    answers = {place: contestants[place]() for place in (places if number % 2 == 0 else reversed(places))}
    return [answers[place] for place in places]


def save(name: str, started: dt.datetime, content: dict[str, Any]) -> None:
    """Write figures as JSON under outputs/benchmarks/, with begin and end, and say where."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / f"{name}-{started:%Y%m%dT%H%M%SZ}.json"
    finished = dt.datetime.now(dt.UTC)
    figures = {"started": started.isoformat(), "finished": finished.isoformat(), **content}
    file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"Saved {file}")
