"""Figures as text, with as many digits as a reader can use."""

from __future__ import annotations

__all__ = ["NOT_MEASURED", "milliseconds", "times"]

NOT_MEASURED = "not measured"


def milliseconds(value: float | None) -> str:
    """Return a time in ms as text, with as many digits as a reader can use; whole seconds from 1,000 ms on."""
    if value is None:
        return NOT_MEASURED
    if value >= 999.5:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 9.95 else f"{value:.1f} ms" if value >= 0.95 else f"{value:.2f} ms"


def times(ratio: float) -> str:
    """Return a ratio as text: 2.3, 94, 1,200."""
    return f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"
