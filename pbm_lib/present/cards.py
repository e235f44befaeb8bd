"""Key numbers in large type: one card, or several side by side."""

import html
from numbers import Real

from ..arguments import checked
from ..display import milliseconds, prose_html, times
from ..errors import PbmError
from ..load.report import NO_PACE, LoadReport
from ..measure.run import PerformanceRun
from ..query.observe import ObservedPage
from ..report.first_page import key_figures
from .notes import Note

# Use JupyterLab's own colors where they exist, so that a card is also readable on a dark theme.
_ROW = "display:flex;flex-wrap:wrap;gap:12px;margin:4px 0"
_CARD = (
    "flex:1 1 200px;max-width:300px;box-sizing:border-box;padding:12px 20px;border-radius:6px;"
    "border-left:4px solid #00A35C;background:var(--jp-layout-color2,#F2F5F4)"
)
_VALUE = "font-size:2.4em;font-weight:600;line-height:1.15;color:var(--jp-ui-font-color1,#1C2D38)"
_LABEL = "font-size:1.05em;color:var(--jp-ui-font-color1,#1C2D38)"
_NOTE = "margin-top:4px;font-size:.9em;white-space:pre-line;color:var(--jp-ui-font-color2,#5C6C75)"


@checked(PbmError)
def number_card(value: Real | str, label: str, note: str = "") -> Note:
    """Return one number in large type, to show as a cell's output.

    Args:
        value: a number, shown with thousands separators, and with one decimal if it is below 10 and not whole; or text,
            shown as it is.
        label: what the number is, in a few words.
        note: what the number is based on, shown in smaller type below it; empty for no note.

    Returns:
        The card. A shell shows it as text.

    Example:
        >>> number_card(3_000_000, "claims on the server")
        3,000,000 claims on the server
    """
    return _cards([(value, label, note)])


@checked(PbmError)
def load_card(report: LoadReport) -> Note:
    """Return the rate of a load in large type, or the number of claims if the rate was not recorded.

    Args:
        report: what `load_claims` returned.

    Returns:
        The card.
    """
    pace = report.pace
    if pace is None:
        return number_card(report.volume, "claims on the server", NO_PACE)
    processes = f"{pace.workers} loading process{'es' if pace.workers != 1 else ''}"
    note = f"{pace.inserted:,} claims in {pace.seconds:,.1f} s, with {processes}"
    return number_card(f"{pace.claims_per_second:,.0f}", "claims per second, validated and indexed", note)


@checked(PbmError)
def bound_card(unbounded: ObservedPage, bounded: ObservedPage) -> Note:
    """Return in large type how many times as many index keys the same page takes without the bound.

    The times of single calls depend on what the cache happens to hold. The keys don't, so the times are in the note.

    Args:
        unbounded: the page as returned by `observe_claims(..., bounded=False)`.
        bounded: the same page as returned by `observe_claims`.

    Returns:
        The card. It shows the time if the bounded query took so long that its keys are not fully known.
    """
    slow, fast = milliseconds(unbounded.ms), milliseconds(bounded.ms)
    if not bounded.plan.complete:
        return number_card(slow, "without the bound", f"{fast} with it, one call each")
    at_least = "" if unbounded.plan.complete else "at least "
    ratio = times(unbounded.plan.keys_examined / max(bounded.plan.keys_examined, 1))
    label = "times as many index keys without the bound"
    return number_card(at_least + ratio, label, f"{slow} without it, {fast} with it, one call each")


@checked(PbmError)
def performance_cards(run: PerformanceRun) -> Note:
    """Return a run's key numbers side by side, the same ones as on the first page of its report.

    Args:
        run: what `run_performance` returned.

    Returns:
        The cards, or a single card that says that nothing was measured.
    """
    figures = [(figure.text, figure.what, figure.against) for figure in key_figures(run)]
    return _cards(figures) if figures else number_card("\N{EM DASH}", "nothing was measured in this run")


def _cards(figures: list[tuple[Real | str, str, str]]) -> Note:
    texts, cells = [], []
    for value, label, note in figures:
        shown = value if isinstance(value, str) else f"{value:,.0f}" if float(value).is_integer() else times(value)
        texts.append("\n".join([f"{shown} {label}", *(f"    {line}" for line in note.splitlines())]))
        cells.append(
            f"<div style='{_CARD}'><div style='{_VALUE}'>{html.escape(shown)}</div>"
            f"<div style='{_LABEL}'>{prose_html(label)}</div>"
            + (f"<div style='{_NOTE}'>{prose_html(note)}</div>" if note else "")
            + "</div>"
        )
    return Note("\n".join(texts), f"<div style='{_ROW}'>{''.join(cells)}</div>")
