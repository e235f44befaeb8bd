"""Charts for the notebooks: the load, paging, and the queries for a date range. Titles come from the data."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from pandas import DataFrame

from ..arguments import check_columns, checked, in_short, not_accepted
from ..chart_style import GREEN, GREY, INK, LINE, PURPLE, figure_titled, plain_ticks, styled
from ..errors import PbmError
from ..load.report import NO_PACE, LoadReport
from ..query.explain import QueryPlan


@checked(PbmError)
@styled
def paging_chart(paging: DataFrame) -> Figure:
    """Return a chart of the time per page at each depth, for skip/limit and keyset, on a log axis.

    Args:
        paging: what `compare_paging` returned.

    Returns:
        A figure with one panel.
    """
    check_columns("paging", paging, ("depth", "same claims", "skip/limit ms", "keyset ms"), PbmError)
    deepest = paging.iloc[-1]
    same = "the same claims" if paging["same claims"].all() else "NOT the same claims"
    title = f"{deepest['keyset ms']:,.1f} ms by keyset, {deepest['skip/limit ms']:,.0f} ms by skip/limit"
    subtitle = f"A page {deepest['depth']:,} claims deep. Both ways return {same}."
    figure = figure_titled(title, subtitle, width=7.2, height=3.4)
    panel = figure.subplots()
    panel.set_yscale("log")
    places = range(len(paging))
    for column, color, marker in (("skip/limit ms", PURPLE, "D"), ("keyset ms", GREEN, "o")):
        panel.plot(places, paging[column], marker=marker, color=color, linewidth=1.8)
        panel.annotate(
            column.removesuffix(" ms"), (places[-1], paging[column].iloc[-1]), xytext=(10, 0),
            textcoords="offset points", va="center", color=color, fontweight="bold",
        )  # fmt: skip
    panel.set_xticks(places, [f"{depth:,}" for depth in paging["depth"]])
    panel.set_xlim(-0.3, len(paging) - 0.2)
    panel.set_xlabel("claims before the page")
    panel.set_ylabel("ms per page, median of 3, log scale")
    plain_ticks(panel.yaxis)
    return figure


@checked(PbmError)
@styled
def load_rate_chart(report: LoadReport) -> Figure:
    """Return a chart of claims per second during the load, this one or an earlier one, that added most of the claims.

    Args:
        report: what `load_claims` returned.

    Returns:
        A figure with one panel, or with only a sentence if the rate of that load was not recorded.
    """
    pace = report.pace
    if pace is None:
        figure = figure_titled("Already loaded", NO_PACE, width=7.2, height=0.1)
        figure.set_layout_engine("none")
        return figure
    title = f"{pace.claims_per_second:,.0f} claims per second"
    when = "" if pace.inserted == report.inserted else f", on {pace.ended:%Y-%m-%d}"
    part = "" if pace.inserted == report.volume else f" of {report.volume:,}"
    subtitle = f"{pace.inserted:,}{part} claims in {pace.seconds:,.0f} s{when}."
    if part:
        subtitle += " Other loads added the rest."
    figure = figure_titled(title, subtitle, width=7.2, height=2.8)
    rate = report.rate_frame()
    panel = figure.subplots()
    panel.plot(rate["seconds"], rate["claims_per_second"], color=GREEN, linewidth=1.5)
    panel.axhline(pace.claims_per_second, color=GREY, linewidth=1, linestyle="--")
    panel.annotate(
        "mean", (rate["seconds"].iloc[-1], pace.claims_per_second), xytext=(4, 4), textcoords="offset points"
    )
    panel.set_ylim(0)
    panel.set_xlabel("seconds")
    panel.set_ylabel("claims per second")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


@checked(PbmError)
@styled
def acts_chart(acts: Sequence[QueryPlan], claims: int) -> Figure:
    """Return a chart of how many of a provider's claims each query examined, one bar per query, on a log axis.

    Args:
        acts: the plans that `explain_claims` returned; for the same query and index, only the last one is drawn.
        claims: the provider's total number of claims.

    Returns:
        A figure with one panel.

    Example:
        >>> acts_chart([explain_claims(store, tin, start, end)], count_claims(store, tin))
    """
    if not acts or not all(isinstance(act, QueryPlan) for act in acts):
        raise not_accepted("acts", in_short(list(acts)), error=PbmError)
    if claims < 1:
        raise not_accepted("claims", in_short(claims), error=PbmError)
    shown = list({(act.kind, act.index): act for act in acts}.values())
    touched = [max(act.keys_examined, act.docs_examined) for act in shown]  # without an index, no keys are examined
    longest = max(10, claims, *touched)
    first, *others = (f"{number:,}" for number in touched)
    unit = "keys" if all(act.index for act in shown) else "claims"
    title = ", then ".join((f"One page: {first} {unit}", *others))
    figure = figure_titled(title, width=7.2, height=0.9 + 0.6 * len(shown))
    panel = figure.subplots()
    panel.set_xscale("log")
    panel.barh(range(len(shown)), claims - 1, left=1, height=0.62, color=LINE)
    for place, (act, number) in enumerate(zip(shown, touched, strict=True)):
        panel.barh(place, max(number, 1) - 1, left=1, height=0.62, color=GREEN if act.bounded else PURPLE)
        inside = number**2 > longest  # the bar covers more than half of the log axis, so the label fits inside
        panel.annotate(
            f"{act.keys_examined:,} keys, {act.docs_examined:,} documents", (max(number, 1), place),
            xytext=(-6 if inside else 6, 0), textcoords="offset points", va="center",
            ha="right" if inside else "left", color="white" if inside else INK,
        )  # fmt: skip
    panel.set_xlim(1, 1.05 * longest)
    panel.tick_params(axis="y", length=0)
    panel.set_yticks(range(len(shown)), [f"{act.kind}\n{act.index or 'no index'}" for act in shown])
    panel.invert_yaxis()
    panel.grid(visible=False, axis="y")
    panel.set_xlabel(f"examined, of the provider's {claims:,} claims, log scale")
    plain_ticks(panel.xaxis)
    return figure
