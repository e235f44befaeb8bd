"""What the generated claims look like: a sample of them as a table, in numbers, and as a chart."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from pandas import DataFrame, Series

from ..arguments import check_columns, checked, in_short, not_accepted
from ..chart_style import GREEN, GREY, figure_titled, plain_ticks, styled
from ..claims.document import BEGIN, END
from ..claims.generate import claim_generator
from ..config import Config
from ..errors import InvalidQuery
from ..working import working

_PIECES = 1_000
_COLUMNS = ("begin", "days", "system", "overpayment", "recouped")  # the columns of a sample that are summarized


@checked(InvalidQuery)
def claims_sample(config: Config, count: int = 20_000) -> DataFrame:
    """Generate claims from evenly spaced stretches of the whole period, without a server.

    Args:
        config: the settings.
        count: number of claims, at least 1. The volume is the upper limit; above 1,000, the number is rounded down to
            a multiple of 1,000.

    Returns:
        A pandas DataFrame, one row per claim: begin, days (0 for a claim that ends on the day it begins), system,
        overpayment and recouped in US dollars, recovery, account (the patient's number at the provider), tin.
    """
    if count < 1:
        raise not_accepted("count", in_short(count))
    volume = config.data_generation.target_volume
    pieces = min(_PIECES, count, volume)
    length = min(count, volume) // pieces
    generator, rows = claim_generator(config.data_generation), []
    with working("Generating a sample of the claims"):
        for piece in range(pieces):
            start = (volume - length) * piece // max(1, pieces - 1)
            rows += map(_row, generator.documents(start, start + length))
    return DataFrame(rows)


def _row(claim: dict[str, Any]) -> dict[str, Any]:
    begin, amounts, billing = claim[BEGIN], claim["processedAmounts"], claim["billingProvider"]
    return {
        "begin": begin,
        "days": (claim[END] - begin).days,
        "system": claim["identifiers"]["claimSystemCode"],
        "overpayment": float(amounts["overpaymentAmount"]["amount"].to_decimal()),
        "recouped": float(amounts["recoupedAmount"]["amount"].to_decimal()),
        "recovery": claim["recoveryMethod"],
        "account": billing["patientAccountNumber"],
        "tin": billing["providerTin"],
    }


@checked(InvalidQuery)
def claims_summary(sample: DataFrame) -> DataFrame:
    """Return a sample's distributions in numbers, as a pandas DataFrame: what, value.

    Args:
        sample: what `claims_sample` returned.
    """
    check_columns("sample", sample, _COLUMNS, InvalidQuery)
    overpaid = sample[sample["overpayment"] > 0]
    weekend = sample["begin"].dt.day_of_week >= 5
    facts = {
        "claims in the sample": f"{len(sample):,}",
        "same-day claims": f"{(sample['days'] == 0).mean():.0%}",
        "multi-day claims: median / longest (days)": _of(
            _above_zero(sample["days"]), lambda days: f"{days.median():.0f} / {days.max():.0f}"
        ),
        "begin on a weekend (2 of 7 days)": f"{weekend.mean():.0%}",
        "with an overpayment": f"{len(overpaid) / len(sample):.0%}",
        "overpayment: median / mean (USD)": _of(
            overpaid["overpayment"], lambda usd: f"{usd.median():,.0f} / {usd.mean():,.0f}"
        ),
        "overpayments recouped, at least in part": _of(overpaid["recouped"], lambda usd: f"{(usd > 0).mean():.0%}"),
    }
    for code, share in sample["system"].value_counts(normalize=True).items():
        facts[f"claim system {code}"] = f"{share:.0%}"
    return DataFrame(facts.items(), columns=["what", "value"])


def _above_zero(values: Series) -> Series:
    return values[values > 0]


def _of(values: Series, described: Callable[[Series], str]) -> str:
    return described(values) if len(values) else "none in the sample"


@checked(InvalidQuery)
@styled
def claims_chart(sample: DataFrame) -> Figure:
    """Return a chart of claims per month, the length of multi-day claims in days, and overpayments on a log axis.

    Args:
        sample: what `claims_sample` returned.

    Returns:
        A figure with three panels.
    """
    check_columns("sample", sample, _COLUMNS, InvalidQuery)
    same_day = (sample["days"] == 0).mean()
    title = f"{same_day:.0%} of the claims begin and end on the same day"
    figure = figure_titled(title, f"The longest lasts {sample['days'].max()} days.", width=9.6, height=2.8)
    months, days, amounts = figure.subplots(1, 3)
    by_month = sample.groupby(sample["begin"].dt.to_period("M")).size()
    months.plot(by_month.index.to_timestamp(), by_month, color=GREEN)
    months.set_ylim(0)
    months.set_title("Claims per month, by begin date")
    months.set_ylabel(f"claims ({len(sample):,} in the sample)")
    dates = AutoDateLocator(minticks=3, maxticks=6)
    months.xaxis.set_major_locator(dates)
    months.xaxis.set_major_formatter(ConciseDateFormatter(dates, show_offset=False))
    days.hist(_above_zero(sample["days"]), bins=np.arange(0.5, sample["days"].max() + 1.5), color=GREEN)
    days.set_title("Multi-day claims: length in days")
    overpaid = _above_zero(sample["overpayment"])
    if len(overpaid):
        amounts.hist(overpaid, bins=np.geomspace(overpaid.min(), overpaid.max() + 0.01, 40), color=GREEN)
        middle = overpaid.median()
        amounts.axvline(middle, color=GREY, linestyle="--", linewidth=1)
        at_top = {"textcoords": "offset points", "va": "top", "color": GREY}
        amounts.annotate(
            f"median {middle:,.0f}", (middle, 1), xycoords=("data", "axes fraction"), xytext=(26, -2), **at_top
        )
        amounts.set_xscale("log")
        plain_ticks(amounts.xaxis)
    amounts.set_title("Overpayments in USD (log scale)")
    return figure
