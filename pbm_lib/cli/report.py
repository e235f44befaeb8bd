"""`python -m pbm_lib report`: write the report of a saved run."""

import argparse

from ..config_file import output_folder
from ..measure.run import PerformanceRun
from ..report.report import write_report


def run(options: argparse.Namespace) -> int:
    """Write the report and print which files were written."""
    baseline = PerformanceRun.load(options.baseline) if options.baseline else None
    written = write_report(
        PerformanceRun.load(options.run_file),
        output_folder(options.output),
        baseline=baseline,
        customer=options.customer,
        presenter=options.presenter,
        next_steps=options.next_steps,
    )
    print(written)
    return 0
