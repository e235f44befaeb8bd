"""Charts of the load and of the paging comparison, for the notebooks; each title is computed from its data."""

from matplotlib.figure import Figure
from pandas import DataFrame

from ..arguments import check_columns, checked
from ..errors import PbmError
from ..load.report import LoadReport
from ..report.style import BLUE, GREY, ORANGE, figure_titled, plain_ticks, styled


@checked(PbmError)
@styled
def paging_chart(paging: DataFrame) -> Figure:
    """Return time a page against depth, by skip/limit and by keyset, on a log axis.

    Args:
        paging: what `compare_paging` returned.

    Returns:
        A figure with one panel.
    """
    check_columns("paging", paging, ("depth", "same claims", "skip/limit ms", "keyset ms"), PbmError)
    deepest = paging.iloc[-1]
    same = "the same claims" if paging["same claims"].all() else "NOT the same claims"
    title = (
        f"{deepest['depth']:,} claims deep, a keyset page takes {deepest['keyset ms']:,.1f} ms and a skip/limit page "
        f"{deepest['skip/limit ms']:,.0f} ms, for {same}"
    )
    figure = figure_titled(title, width=7.2, height=3.8)
    panel = figure.subplots()
    panel.set_yscale("log")
    places = range(len(paging))
    for column, color, marker in (("skip/limit ms", ORANGE, "D"), ("keyset ms", BLUE, "o")):
        panel.plot(places, paging[column], marker=marker, color=color, linewidth=1.8)
        panel.annotate(
            column.removesuffix(" ms"), (places[-1], paging[column].iloc[-1]), xytext=(10, 0),
            textcoords="offset points", va="center", color=color, fontweight="bold",
        )  # fmt: skip
    panel.set_xticks(places, [f"{depth:,}" for depth in paging["depth"]])
    panel.set_xlim(-0.3, len(paging) - 0.2)
    panel.set_xlabel("claims before the page")
    panel.set_ylabel("ms a page, median of 3, log scale")
    plain_ticks(panel.yaxis)
    return figure


@checked(PbmError)
@styled
def load_rate_chart(report: LoadReport) -> Figure:
    """Return claims a second over the time of a load.

    Args:
        report: what `load_claims` returned.

    Returns:
        A figure with one panel; it says so if the load had nothing to add.
    """
    rate = report.rate_frame()
    if rate.empty:
        figure = figure_titled("Nothing was added: the claims were there already", width=7.2, height=1.2)
        panel = figure.subplots()
        panel.axis("off")
        panel.text(0, 0.5, "The chart shows the load that adds claims.", color=GREY, transform=panel.transAxes)
        return figure
    title = f"{report.inserted:,} claims in {report.seconds:,.0f} s: {report.claims_per_second:,.0f} claims a second"
    figure = figure_titled(title, width=7.2, height=3.2)
    panel = figure.subplots()
    panel.plot(rate["seconds"], rate["claims_per_second"], color=BLUE, linewidth=1.5)
    panel.axhline(report.claims_per_second, color=GREY, linewidth=1, linestyle="--")
    panel.annotate(
        "mean", (rate["seconds"].iloc[-1], report.claims_per_second), xytext=(4, 4), textcoords="offset points"
    )
    panel.set_ylim(0)
    panel.set_xlabel("seconds")
    panel.set_ylabel("claims a second")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure
