"""The HTML page of the report: what its templates receive, and how its charts are embedded."""

import re
from itertools import product
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..chart_style import THEME, to_svg
from ..display import milliseconds, quantity
from ..measure.confidence import FEWEST_FOR_UPPER_END
from ..measure.run import PerformanceRun
from ..measure.samples import WIDE_SPREAD
from ..measure.sampling import FEWEST
from ..measure.steady import ALIKE, DRIFT
from ..query.totals import CAP
from ..vocabulary import SCENARIOS
from .chart_texts import FLAT
from .charts import CHARTS, RunChart
from .comparison_tables import (
    arrivals_table,
    cold_table,
    concurrency_table,
    costs_table,
    examined_table,
    open_loop_table,
    ranges_table,
    totals_table,
)
from .figures import asks_the_same, totals_ways_of, ways_of
from .findings import arrivals_finding, cautions, examined_finding, problems, totals_finding, volume_finding
from .first_page import KeyFigure, headline, key_figures, lead, limits
from .sizing import CACHE_SHARE, STORAGE_SHARE, size_cluster
from .tables import (
    conditions_table,
    figures_table,
    sizes_table,
    targets_table,
    tiers_table,
)

_UNUSED_ID = re.compile(r' id="[A-Za-z0-9.]+_\d+"')
"""Matches an id that matplotlib gives to a group of an SVG and that nothing in the SVG refers to."""
_USED_ID = re.compile(r'(id="|#)([mp][0-9a-f]{10})\b')
"""Matches an id that matplotlib gives to a marker or a clip path, or a reference to such an id."""
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|GB|MB|USD|claims)\b)")
"""Matches the space between a number and its unit, where no line should break."""
_METHODS = {1: "clients as threads (schema 1)", 2: "clients as processes (schema 2)"}


def render_page(
    run: PerformanceRun,
    baseline: PerformanceRun | None = None,
    *,
    customer: str = "",
    presenter: str = "",
    next_steps: str = "",
) -> str:
    """Return the report as one HTML page that loads nothing from the network; `write_report` explains the arguments."""
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["glued"] = lambda text: _BEFORE_UNIT.sub("\u00a0", text)
    template = environment.get_template("report.html.j2")
    sizing = size_cluster(run) if run.footprint.claims else None
    return template.render(
        run=run,
        measured={sample.section for sample in run.samples if sample.counts},
        baseline=baseline,
        customer=customer.strip(),
        presenter=presenter.strip(),
        next_steps=next_steps.strip(),
        theme=THEME,
        headline=headline(run),
        lead=lead(run),
        limits=limits(run),
        problems=problems(run),
        cautions=cautions(run),
        differences=_differences(run, baseline) if baseline else [],
        cards=_cards(run, baseline),
        charts={chart.name: _drawn(chart, run, baseline) for chart in CHARTS},
        volume=volume_finding(run),
        targets=targets_table(run, baseline),
        examined=examined_table(run),
        examined_finding=examined_finding(run),
        ways=ways_of(run),
        ranges=ranges_table(run),
        totals_ways=totals_ways_of(run),
        totals=totals_table(run),
        totals_finding=totals_finding(run),
        cold=cold_table(run),
        open_loop=open_loop_table(run),
        arrivals=arrivals_table(run),
        arrivals_finding=arrivals_finding(run),
        costs=costs_table(run),
        index_uses={name: f"{uses:,}" for name, uses in run.index_uses.items()},
        concurrency=concurrency_table(run, baseline),
        sizing=sizing,
        sizes=sizes_table(run, baseline) if sizing else None,
        tiers=tiers_table(sizing) if sizing else None,
        conditions=conditions_table(run, baseline),
        figures=figures_table(run, baseline),
        cache_tier=_cache_tier(run),
        ping=run.statistics(section="floor", operation="ping"),
        ms=milliseconds,
        quantity=quantity,
        flat=f"{FLAT:g}",
        cap=f"{CAP:,}",
        fewest=FEWEST,
        own=_fewest_of_own(run),
        fewest_for_upper_end=FEWEST_FOR_UPPER_END,
        drift=f"{DRIFT - 1:.0%}",
        alike=f"{ALIKE:g}",
        wide_spread=f"{WIDE_SPREAD:.0%}",
        storage_share=f"{STORAGE_SHARE:.0%}",
        cache_share=f"{CACHE_SHARE:.0%}",
    )


def _fewest_of_own(run: PerformanceRun) -> int:
    """The fewest samples of any first page or total as the application asks for it; 0 if there are none."""
    asked = product(run.tiers, ("first_page", "count"), SCENARIOS)
    return min((len(run.select(**run.latency_labels(*each), counts=True)) for each in asked), default=0)


def _drawn(chart: RunChart, run: PerformanceRun, baseline: PerformanceRun | None) -> dict[str, Any]:
    """The parts of a chart that the template shows."""
    panels = []
    # If nothing was measured, the title and the subtitle are enough.
    for number, (title, figure) in enumerate(chart.parts(run, baseline) if chart.described(run) else ()):
        # Ids must be unique across all SVGs of the page.
        svg = _USED_ID.sub(rf"\1{chart.name}-{number}-\2", _UNUSED_ID.sub("", to_svg(figure)))
        panels.append((title, svg))
    title, subtitle = chart.title(run), chart.subtitle(run)
    alt = f"{title}. {subtitle} {chart.described(run)}".rstrip()
    return {"title": title, "subtitle": subtitle, "panels": panels, "alt": alt}


def _cards(run: PerformanceRun, baseline: PerformanceRun | None) -> list[tuple[KeyFigure, str]]:
    """The key figures of the first page, each with the baseline's time for the same thing, if any."""
    theirs = {} if baseline is None else {figure.what: figure for figure in key_figures(baseline)}
    cards = []
    for figure in key_figures(run):
        other = theirs.get(figure.what)
        text = f"baseline {other.text}" if other and other.ms is not None else ""
        cards.append((figure, text))
    return cards


def _differences(run: PerformanceRun, baseline: PerformanceRun) -> list[str]:
    """Differences between the two runs, apart from the figures, so that nobody reads too much into a ratio."""
    ours, theirs = run.settings, baseline.settings
    pairs = {
        "claims": (f"{run.footprint.claims:,}", f"{baseline.footprint.claims:,}"),
        "claims per page": (ours.page_size, theirs.page_size),
        "days in a window": (ours.performance.window_days, theirs.performance.window_days),
        "query seed": (ours.performance.seed, theirs.performance.seed),
        "claim seed": (ours.data_generation.seed, theirs.data_generation.seed),
        "samples per operation": (ours.performance.samples, theirs.performance.samples),
        "method": (_METHODS[run.method], _METHODS[baseline.method]),
        "size of leaf pages in KB": tuple(each.footprint.leaf_page_kb or "unknown" for each in (run, baseline)),
        "indexes": tuple("; ".join(sorted(each.conditions.indexes.values())) for each in (run, baseline)),
    }
    found = [f"{name}: {a} in this run, {b} in the baseline" for name, (a, b) in pairs.items() if a != b]
    return found if asks_the_same(run, baseline) else [*found, "So the report shows no ratios."]


def _cache_tier(run: PerformanceRun) -> str:
    """Say which Atlas tier has a cache as large as the server's."""
    if run.conditions.cache_bytes is None:
        return "The server's cache size could not be read."
    size = run.conditions.cache_bytes / 2**30
    same = [tier.name for tier in run.settings.atlas.tiers if abs(tier.cache_gb - size) < 0.05 * tier.cache_gb]
    like = f"the same as an Atlas {same[0]}" if same else "unlike any Atlas tier in the price table"
    if run.conditions.host_kind == "Atlas":
        return f"The server's cache was {size:.2g} GB."
    return f"The server's cache was {size:.2g} GB, {like}. Its CPU, disk, and network are not those of an Atlas tier."
