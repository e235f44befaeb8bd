"""The log of requests, newest first, as HTML and as text."""

import html
from collections.abc import Sequence

from ...display import milliseconds
from ...query.request import Request
from .moments import Shown

_LINES = 6  # shown in a shell
_TITLE = "Request log, newest first"
_CAPTION = (
    "Each find and aggregate for claims, timed by the driver (countDocuments sends an aggregate). Keys and documents "
    "come from the server's log or an explain. Validator checks are not listed."
)


def log_rows(requests: Sequence[Request]) -> list[dict[str, str]]:
    """Return one row per request, column to text."""
    return [
        {
            "sent": f"{request.sent_at.astimezone():%H:%M:%S}",
            "command": "aggregate" if request.is_count else "find",
            "time": milliseconds(request.ms),
            "keys": _examined(request, request.plan and request.plan.keys_examined),
            "documents": _examined(request, request.plan and request.plan.docs_examined),
            "returned": f"ended ({request.error})" if request.error else f"{request.returned:,}",
            "MQL": request.mql_line,
        }
        for request in requests
    ]


def log_html(shown: Shown) -> str:
    """Return the log as a table in a box that scrolls on its own."""
    rows = log_rows(shown.log)
    faint = "font-size:0.85em;color:var(--jp-ui-font-color2,inherit);margin:2px 0"
    caption = f"<div style='font-weight:600;margin-top:4px'>{_TITLE}</div><div style='{faint}'>{_CAPTION}</div>"
    if not rows:
        return f"{caption}<div style='font-size:12px'>No request since the log was cleared.</div>"
    text = "text-align:left;padding:1px 8px;white-space:nowrap"
    number = "text-align:right;padding:1px 8px;white-space:nowrap"
    looks = {name: number if name in ("time", "keys", "documents", "returned") else text for name in rows[0]}
    heads = "".join(f"<th style='{look}'>{name}</th>" for name, look in looks.items())
    lines = "".join(
        "<tr>"
        + "".join(f"<td style='{looks[name]}'>{_cell(name, value, request)}</td>" for name, value in row.items())
        + "</tr>"
        for row, request in zip(rows, shown.log, strict=True)
    )
    box = (
        "width:0;min-width:100%;box-sizing:border-box;max-height:13em;overflow:auto;"
        "border:1px solid var(--jp-border-color2,#999);color:var(--jp-ui-font-color1,inherit)"
    )
    table = "border-collapse:collapse;margin:0;font-size:11px;line-height:1.5;font-variant-numeric:tabular-nums"
    return f"{caption}<div style='{box}'><table style='{table}'><tr>{heads}</tr>{lines}</table></div>"


def log_text(shown: Shown) -> list[str]:
    """Return the newest requests in the log as lines of text for a shell."""
    rows = log_rows(shown.log[:_LINES])
    if not rows:
        return []
    names = [name for name in rows[0] if name != "MQL"]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    table = [dict(zip(names, names, strict=True)), *rows]
    lines = ["  " + "  ".join(row[name].rjust(widths[name]) for name in names) for row in table]
    more = len(shown.log) - len(rows)
    return ["  request log, newest first", *lines, *([f"  ... {more} earlier"] if more else [])]


def _examined(request: Request, number: int | None) -> str:
    if number is None:
        return "" if request.error else "…"
    return f"{number:,}" if request.plan.complete else f"more than {number:,}"


def _cell(name: str, value: str, request: Request) -> str:
    if name != "MQL":
        return html.escape(value)
    pretty = html.escape(request.mql, quote=True)
    return f"<code style='font-size:11px' title='{pretty}'>{html.escape(value)}</code>"
