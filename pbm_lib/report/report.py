"""The customer's report: one HTML file, charts, and a summary, made from run files alone."""

import html
from dataclasses import dataclass
from pathlib import Path

from ..arguments import checked, full_path
from ..chart_style import to_png
from ..errors import PbmError
from ..measure.run import PerformanceRun
from ..working import working
from .charts import CHARTS
from .lab_link import lab_link
from .page import render_page
from .tables import summary_frame


@dataclass(frozen=True)
class ReportFiles:
    """What `write_report` wrote.

    Attributes:
        html: the report.
        charts: the charts as PNG.
        summary: the figures as CSV.
    """

    html: Path
    charts: tuple[Path, ...]
    summary: Path

    def __repr__(self) -> str:
        places = [self.html, self.summary, *self.charts]
        return "ReportFiles\n" + "\n".join(f"  {place}" for place in places)

    def _repr_html_(self) -> str:
        places = "".join(f"<li>{html.escape(str(place))}</li>" for place in (self.html, self.summary, *self.charts))
        link = lab_link(self.html)
        opens = f"<p style='font-size:1.4em'><a href='{html.escape(link)}'>Open the report</a></p>" if link else ""
        return f"{opens}<p><b>Report written</b></p><ul>{places}</ul>"


@checked(PbmError)
def write_report(
    run: PerformanceRun,
    output_dir: str | Path,
    baseline: PerformanceRun | None = None,
    *,
    customer: str = "",
    presenter: str = "",
    next_steps: str = "",
) -> ReportFiles:
    """Write the report of a run, replacing an earlier report in that folder. No server is needed.

    Args:
        run: the run, complete or not.
        output_dir: folder; created if missing.
        baseline: a run to compare with, side by side; None for none.
        customer: who the report is for, named on its first page; "" to name no one.
        presenter: who presents it, named on its first page; "" to name no one.
        next_steps: a line on the first page about what to do next; "" for none.

    Returns:
        The files: performance_report.html, charts/*.png and summary.csv.

    Raises:
        PbmError: the folder cannot be written.

    Example:
        >>> write_report(PerformanceRun.load("outputs/runs/RUN.json"), "outputs", customer="Acme Health")
    """
    folder = full_path("output_dir", output_dir, PbmError)
    try:
        (folder / "charts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    with working("Writing the report"):
        page = render_page(run, baseline, customer=customer, presenter=presenter, next_steps=next_steps)
        pictures = {folder / "charts" / f"{chart.name}.png": to_png(chart.whole(run, baseline)) for chart in CHARTS}
    report, summary = folder / "performance_report.html", folder / "summary.csv"
    try:
        for file, picture in pictures.items():
            file.write_bytes(picture)
        summary_frame(run, baseline).to_csv(summary, index=False)
        report.write_text(page, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from None
    return ReportFiles(report, tuple(pictures), summary)


def _unwritable(folder: Path, error: OSError) -> PbmError:
    return PbmError(f"Cannot write the report to {folder}: {error.strerror or error}. Choose another output folder.")
