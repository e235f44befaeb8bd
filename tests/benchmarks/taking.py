"""What the benchmarks share: samples, contestants that take turns, and the file that stores the figures."""

import datetime as dt
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pbm_lib as pbm
from pbm_lib import ClaimStore

WINDOW_DAYS = 90
OUTPUT = Path(__file__).resolve().parents[2] / "outputs" / "benchmarks"


@dataclass
class Samples:
    """The times of one operation, in seconds."""

    name: str
    seconds: list[float] = field(default_factory=list)

    def time(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        answer = call(*arguments, **options)
        self.seconds.append(time.perf_counter() - started)
        return answer

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return f"{1e3 * self.median:,.1f} ms (n={len(self.seconds)}, IQR {1e3 * first:,.1f}-{1e3 * third:,.1f})"


class Windows:
    """One store, its largest provider and its smallest ones, windows drawn from a seed, and the samples by name."""

    def __init__(self, store: ClaimStore, seed: int):
        self.store, self.draw = store, random.Random(seed)
        data = store.config.data_generation
        roster = pbm.list_providers(store.config)
        self.large = max(roster, key=lambda provider: provider.claim_count)
        small = min(provider.claim_count for provider in roster)
        self.small = [provider for provider in roster if provider.claim_count == small]
        self.first_day = data.first_service_date
        self.days = (data.last_service_date - data.first_service_date).days - WINDOW_DAYS
        self.fixed = self.window(int(self.days * 0.55))
        self.samples: dict[str, Samples] = {}

    def window(self, day: int) -> tuple[dt.date, dt.date]:
        start = self.first_day + dt.timedelta(days=day)
        return start, start + dt.timedelta(days=WINDOW_DAYS - 1)

    def any_window(self, part: int = 0, parts: int = 1) -> tuple[dt.date, dt.date]:
        """Draw a window that begins in the given part of the period, which has `parts` equal parts counted from 0."""
        return self.window(int((part + self.draw.random()) / parts * (self.days + 1)))

    def time(self, name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return self.samples.setdefault(name, Samples(name)).time(call, *arguments, **options)


def in_turn(number: int, *contestants: Callable[[], Any]) -> list[Any]:
    """Call each contestant, in reverse order in odd rounds so that none benefits from its place.

    Return the answers in the order in which the contestants are given.
    """
    places = range(len(contestants))
    answers = {place: contestants[place]() for place in (places if number % 2 == 0 else reversed(places))}
    return [answers[place] for place in places]


def save(name: str, started: dt.datetime, content: dict[str, Any]) -> None:
    """Write the figures as JSON under outputs/benchmarks/, with start and end times, and print the file's path."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / f"{name}-{started:%Y%m%dT%H%M%SZ}.json"
    finished = dt.datetime.now(dt.UTC)
    figures = {"started": started.isoformat(), "finished": finished.isoformat(), **content}
    file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"Saved {file}")
