"""What the explorer shows, as HTML and as text: pure functions of one moment of it."""

import html
import textwrap

from ..claims.roster import list_providers
from ..claims.table import claim_rows, claims_table, text_table
from ..display import milliseconds
from ..errors import InvalidQuery
from ..query.explain import count_mql, page_mql
from ..query.filters import make_query
from ..query.page import ClaimPage
from ..store.store import ClaimStore
from ..vocabulary import BOUNDED, CONTESTANTS, UNBOUNDED
from .explorer_moments import Choice, Shown

_ROWS = 10  # of a page, in a shell
_WAITING = "…"
# JupyterLab's and VS Code's own colours, so that a dark theme stays dark; outside of both, the page's.
_TEXT = "color:var(--jp-ui-font-color1,inherit)"
_FAINT = "color:var(--jp-ui-font-color2,inherit)"
# No width of its own: it takes what there is and scrolls or wraps, where else a widget would grow beyond the page.
_AS_WIDE = "width:0;min-width:100%;box-sizing:border-box;"
_ASCII = str.maketrans({"·": "-", _WAITING: "..."})  # not every terminal has more
_LINE = "1px solid var(--jp-border-color2,#999)"


def headline(store: ClaimStore, choice: Choice) -> str:
    """Return provider, dates and query in one line of text."""
    tin, start, end = choice.question
    names = (provider.name for provider in list_providers(store.config) if provider.tin == tin)
    between = "all service dates"
    if start or end:
        between = f"service dates {start or 'from the first'} to {end or 'the last'}"
    query = CONTESTANTS[BOUNDED if choice.bounded else UNBOUNDED]
    if choice.bounded and not store.bounded:
        query = f"{CONTESTANTS[UNBOUNDED]}, as nothing on the server bounds how long a claim lasts"
    elif not (start or end):
        query += " (without dates the same as the other)"
    return f"{next(names, 'Provider')} · TIN {tin} · {between} · {query}"


def figures(shown: Shown) -> dict[str, str]:
    """Return the figures of a page, label to value."""
    page, examined = shown.page, shown.examined
    claims = ""
    if page is not None:
        claims = f"{shown.before + 1:,} to {shown.before + len(page):,}" if len(page) else "none"
    not_asked = _WAITING if shown.explaining or page is None or shown.is_quick else "not asked"
    return {
        "claims on the page": claims if not shown.reading else _WAITING,
        "total": _WAITING if shown.total is None else f"{shown.total:,}",
        "time of the page": _WAITING if shown.reading or page is None else milliseconds(shown.page_ms),
        "time of the count": _WAITING if shown.count_ms is None else milliseconds(shown.count_ms),
        "keys examined": f"{examined.keys_examined:,}" if examined else not_asked,
        "documents examined": f"{examined.docs_examined:,}" if examined else not_asked,
    }


def queries(store: ClaimStore, shown: Shown) -> dict[str, list[str]]:
    """Return the MQL of page and total, label to lines; nothing where the choice is no query."""
    choice = shown.choice
    try:
        query = make_query(store, *choice.question, bounded=choice.bounded, fresh=False)
    except InvalidQuery:
        return {}
    page = page_mql(store, query, page_size=choice.page_size, cursor=shown.cursor)
    return {"MQL of the page": [page], "MQL of the total": count_mql(store, query)}


def page_html(page: ClaimPage) -> str:
    """Return a page as a table that scrolls within itself, so that it never pushes the rest out of sight."""
    if not len(page):
        return f"<p style='{_TEXT}'>No claim matches.</p>"
    box = f"{_AS_WIDE}max-height:24em;overflow:auto;border:{_LINE};{_TEXT}"
    return f"<div style='{box}'>{claims_table(page)}</div>"


def static_html(store: ClaimStore, shown: Shown) -> str:
    """Return the moment as one piece of HTML that needs nothing else."""
    page = "" if shown.page is None else page_html(shown.page)
    return f"<div>{headline_html(store, shown)}{figures_html(shown)}{page}{queries_html(store, shown)}</div>"


def headline_html(store: ClaimStore, shown: Shown) -> str:
    """Return the headline and, below it, what went wrong."""
    text = f"<div style='{_TEXT};font-weight:600;margin:6px 0'>{html.escape(headline(store, shown.choice))}</div>"
    if shown.error:
        # Told by a word and a bar as well as by its colour.
        text += (
            f"<div role='alert' style='{_TEXT};border-left:4px solid #D55E00;padding:4px 10px;margin:6px 0'>"
            f"<b>Not answered.</b> {html.escape(shown.error)}</div>"
        )
    return text


def figures_html(shown: Shown) -> str:
    """Return the figures side by side, large, each above its label; nothing where there is no answer."""
    if shown.page is None and not shown.reading:
        return ""
    tiles = "".join(
        f"<div style='padding-right:28px'><div style='font-size:1.35em;{_TEXT};font-variant-numeric:tabular-nums'>"
        f"{value or _WAITING}</div><div style='font-size:0.85em;{_FAINT}'>{label}</div></div>"
        for label, value in figures(shown).items()
    )
    return f"<div style='display:flex;flex-wrap:wrap;line-height:1.35;margin:6px 0'>{tiles}</div>"


def queries_html(store: ClaimStore, shown: Shown) -> str:
    """Return the MQL of page and total."""
    style = f"{_AS_WIDE}{_TEXT};white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:12px;line-height:1.4"
    return "".join(
        f"<div style='{_FAINT};font-size:0.85em;margin-top:6px'>{label}</div>"
        f"<pre style='{style}'>{html.escape(chr(10).join(lines))}</pre>"
        for label, lines in queries(store, shown).items()
    )


def static_text(store: ClaimStore, shown: Shown) -> str:
    """Return the moment as text for a shell, with the first claims of its page."""
    lines = ["ClaimExplorer", f"  {headline(store, shown.choice)}"]
    if shown.error:
        lines.append(f"  Not answered. {shown.error}")
    if shown.page is not None:
        lines += [f"  {label:<20}{value}" for label, value in figures(shown).items()]
        lines += [f"  {line}".rstrip() for line in text_table(claim_rows(shown.page[:_ROWS]))]
        if len(shown.page) > _ROWS:
            lines.append(f"  ... {len(shown.page) - _ROWS} more on this page")
    for label, parts in queries(store, shown).items():
        for part in parts:
            lines += textwrap.wrap(
                part, 116, initial_indent=f"  {label:<20}", subsequent_indent=" " * 22,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines).translate(_ASCII)
