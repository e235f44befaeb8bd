"""Where the benchmarks leave their figures."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parents[2] / "outputs" / "benchmarks"


def save(name: str, started: dt.datetime, content: dict[str, Any]) -> None:
    """Write figures as JSON under outputs/benchmarks/, with begin and end, and say where."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / f"{name}-{started:%Y%m%dT%H%M%SZ}.json"
    finished = dt.datetime.now(dt.UTC)
    figures = {"started": started.isoformat(), "finished": finished.isoformat(), **content}
    file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"Saved {file}")
