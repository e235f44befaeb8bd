"""What the explorer shows, as HTML and as text: pure functions of one moment."""

import html
import math
import textwrap
import time

from ...claims.roster import list_providers
from ...claims.table import claim_rows, claims_table, text_table
from ...display import milliseconds, quantity, times_sign
from ...errors import InvalidQuery
from ...query.explain import count_mql, page_mql
from ...query.filters import make_query
from ...query.page import ClaimPage
from ...store.store import ClaimStore
from ...vocabulary import NEWEST, query_words
from .log import log_html, log_text
from .moments import Choice, Shown
from .strip import PURPLE, color_of, strip_svg, strip_text

TIMES = "\N{MULTIPLICATION SIGN}"
_ROWS = 5  # rows of a page that a shell shows
WAITING = "…"
"""Shown in place of a figure that is still to come."""
_NONE = "—"  # shown in place of a figure that will not come
# Use the colors of JupyterLab and VS Code, so that a dark theme stays dark. Elsewhere, the page's colors apply.
TEXT, FAINT = "color:var(--jp-ui-font-color1,inherit)", "color:var(--jp-ui-font-color2,inherit)"
# Take the available width, and scroll or wrap within it. Otherwise, the widget would grow wider than the page.
_AS_WIDE = "width:0;min-width:100%;box-sizing:border-box;"
_ASCII = str.maketrans({"·": "-", WAITING: "...", TIMES: "x"})  # some terminals show only ASCII
_LINE = "1px solid var(--jp-border-color2,#999)"
_APART = 2  # a smaller ratio of two single page times may be chance
_STOPWATCH_SECONDS = 0.3  # a page that arrives sooner gets no stopwatch
_LARGE, _LARGE_BESIDE, _SMALL = 3.4, 2.0, 1.35  # em


def headline(store: ClaimStore, choice: Choice) -> str:
    """Return the provider, dates, order, and query in one line of text."""
    tin, start, end = choice.question
    names = (provider.name for provider in list_providers(store.config) if provider.tin == tin)
    between, query = "all service dates", ""
    if choice.question.has_dates:
        between, query = f"service dates {start or 'from the first'} to {end or 'the last'}", f" · {choice.query}"
    newest = " · newest first" if choice.order == NEWEST else ""
    if choice.bounded and not store.bounded:
        query = f" · {query_words(bounded=False)}, because the server does not limit how long a claim lasts"
    return f"{next(names, 'Provider')} · TIN {tin} · {between}{newest}{query}"


def place_text(shown: Shown) -> str:
    """Return which claims of the total are on the page, and the page's number if it is known."""
    page, size = shown.page, shown.choice.page_size
    if page is None:
        return WAITING if shown.reading else ""
    total = WAITING if shown.total is None else f"{shown.total:,}"
    if not len(page):
        return f"0 of {total}"
    before = shown.place
    if before is None:
        unknown = "" if shown.total is None else " · page number not known"  # after a jump to a date
        return f"{quantity(len(page), 'claim')} of {total}{unknown}"
    text = f"{before + 1:,}-{before + len(page):,} of {total}"
    if before % size == 0 and shown.total is not None:
        text += f" · page {before // size + 1:,} of {max(math.ceil(shown.total / size), before // size + 1):,}"
    return text


def figures(shown: Shown) -> dict[str, str]:
    """Return the figures of a page, label to value."""
    plan, missing = shown.examined, WAITING if shown.reading or shown.page is not None else _NONE
    at_least = "" if plan is None or plan.complete else "more than "
    return {
        "page time": missing if shown.reading or shown.page is None else milliseconds(shown.page_ms),
        "keys examined": f"{at_least}{plan.keys_examined:,}" if plan else missing,
        "documents examined": f"{at_least}{plan.docs_examined:,}" if plan else missing,
        "total": f"{shown.total:,}" if shown.total is not None else missing if shown.wants_total else "not counted",
        "count time": milliseconds(shown.count_ms) if shown.count_ms is not None else _counting(shown, missing),
    }


def beside(shown: Shown) -> str:
    """Return how the page compares with the same page read by the other query; "" if that query did not read it."""
    if shown.same_claims is None:
        return ""
    number, words = _compared(shown)
    earlier = f"the {shown.earlier.query} ({milliseconds(shown.earlier.ms)})"
    return f"{number} {words} as {earlier}, {_same_claims(shown)}"


def queries(store: ClaimStore, shown: Shown) -> dict[str, list[str]]:
    """Return the MQL of the page and of the total, label to queries; empty if the choice is not a valid query."""
    choice, asking = shown.choice, shown.asking
    try:
        query = make_query(store, *choice.question, bounded=choice.bounded, order=choice.order, fresh=False)
    except InvalidQuery:
        return {}
    # Each read asks for one more claim than the page holds, to see whether another page follows.
    limit = (asking.size or choice.page_size) + 1
    page = page_mql(store, query, page_size=limit, cursor=asking.cursor, last=asking.last)
    return {
        "MQL of the page (reads one more claim, to see whether another page follows)": [page],
        "MQL of the total": count_mql(store, query),
    }


def page_html(page: ClaimPage) -> str:
    """Return a page as a table in a box that scrolls on its own, so that it never pushes the rest out of sight."""
    if not len(page):
        return f"<p style='{TEXT}'>No claim matches.</p>"
    box = f"{_AS_WIDE}max-height:24em;overflow:auto;border:{_LINE};{TEXT}"
    return f"<div style='{box}'>{claims_table(page)}</div>"


def static_html(store: ClaimStore, shown: Shown) -> str:
    """Return the moment as self-contained HTML."""
    page = "" if shown.page is None else page_html(shown.page)
    place = f"<div style='{TEXT};margin:6px 0'>{place_text(shown)}</div>"
    parts = (
        headline_html(store, shown), figures_html(shown), strip_html(shown) if shown.times else "", place, page,
        log_html(shown), queries_html(store, shown),
    )  # fmt: skip
    return f"<div>{''.join(parts)}</div>"


def headline_html(store: ClaimStore, shown: Shown) -> str:
    """Return the headline and, below it, the error and the notice, if any."""
    text = ""
    if shown.error:
        # Don't rely on color alone: words and a bar also mark the error.
        text += _bar(f"<b>Not answered.</b> {html.escape(shown.error)}", "#D55E00", "alert")
    if shown.notice:
        text += _bar(html.escape(shown.notice), PURPLE, "status")
    title = f"<div style='{TEXT};font-weight:600;margin:6px 0 2px'>{html.escape(headline(store, shown.choice))}</div>"
    return f"{title}<div class='pbm-message'>{text}</div>"


def _bar(text: str, color: str, role: str) -> str:
    return f"<div role='{role}' style='{TEXT};border-left:4px solid {color};padding:3px 10px;margin:4px 0'>{text}</div>"


def figures_html(shown: Shown) -> str:
    """Return the figures, each above its label. The time of the page is by far the largest; the others are below it."""
    (label, value), *others = figures(shown).items()
    query, earlier = shown.choice.query, shown.earlier
    if shown.choice.question.has_dates:
        label += f", {query}"
    seconds = time.monotonic() - shown.reading_since if shown.reading else 0.0
    is_running = seconds >= _STOPWATCH_SECONDS
    if is_running:
        label, value = f"{query}, still running", f"{seconds:.1f} s"
    large = _tile(value, label, _LARGE, color_of(query))
    if earlier and (is_running or shown.same_claims is not None):
        before = f"{earlier.query}, last page read" if is_running else earlier.query
        large += _tile(milliseconds(earlier.ms), before, _LARGE_BESIDE, color_of(earlier.query))
    if shown.same_claims is not None:
        number, words = _compared(shown)
        large += _tile(number, f"{words}, {_same_claims(shown)}", _LARGE_BESIDE)
    small = "".join(_tile(value, label, _SMALL) for label, value in others)
    row = "display:flex;flex-wrap:wrap;align-items:flex-end;gap:4px 24px;line-height:1.2;margin:0 0 6px"
    return f"<div style='{row}'>{large}</div><div style='{row}'>{small}</div>"


def strip_html(shown: Shown) -> str:
    """Return the times of the last pages as a strip of bars, with their summary below."""
    return f"{strip_svg(shown.times)}<div style='font-size:0.85em;{FAINT}'>{strip_text(shown.times)}</div>"


def queries_html(store: ClaimStore, shown: Shown) -> str:
    """Return the MQL of the page and of the total."""
    style = f"{_AS_WIDE}{TEXT};overflow-x:auto;margin:0;font-size:12px;line-height:1.4"
    return "".join(
        f"<div style='{FAINT};font-size:0.85em;margin-top:6px'>{label}</div>"
        f"<pre style='{style}'>{html.escape(chr(10).join(parts))}</pre>"
        for label, parts in queries(store, shown).items()
    )


def static_text(store: ClaimStore, shown: Shown) -> str:
    """Return the moment as text for a shell, with the first claims of its page."""
    lines = ["ClaimExplorer", f"  {headline(store, shown.choice)}"]
    if shown.error:
        lines.append(f"  Not answered. {shown.error}")
    if shown.notice:
        lines.append(f"  {shown.notice}")
    if shown.page is not None:
        lines += [f"  {label:<20}{value}" for label, value in {"claims": place_text(shown), **figures(shown)}.items()]
        lines += [f"  {beside(shown)}"] if shown.same_claims is not None else []
        lines += [f"  {line}".rstrip() for line in text_table(claim_rows(shown.page[:_ROWS]))]
        if len(shown.page) > _ROWS:
            lines.append(f"  ... {len(shown.page) - _ROWS} more on this page")
    for label, parts in queries(store, shown).items():
        lines.append(f"  {label}")
        lines += textwrap.indent("\n".join(parts), "    ").split("\n")
    return "\n".join([*lines, *log_text(shown)]).translate(_ASCII)


def _counting(shown: Shown, missing: str) -> str:
    if shown.counting_since is None:
        return missing if shown.wants_total else "not counted"
    seconds = time.monotonic() - shown.counting_since
    return f"{seconds:.1f} s {WAITING}" if seconds >= _STOPWATCH_SECONDS else WAITING


def _compared(shown: Shown) -> tuple[str, str]:
    ratio = shown.page_ms / shown.earlier.ms
    if max(ratio, 1 / ratio) < _APART:
        return f"about 1{TIMES}", "as long"
    return (times_sign(ratio), "as long") if ratio > 1 else (times_sign(1 / ratio), "as fast")


def _same_claims(shown: Shown) -> str:
    return "the same claims" if shown.same_claims else "NOT the same claims"


def _tile(value: str, label: str, size: float, color: str = "inherit") -> str:
    look = f"font-size:{size}em;{TEXT};color:{color};font-variant-numeric:tabular-nums;white-space:nowrap"
    weight = ";font-weight:600" if size > _SMALL else ""
    return f"<div><div style='{look}{weight}'>{value}</div><div style='font-size:0.85em;{FAINT}'>{label}</div></div>"
