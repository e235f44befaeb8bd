"""Command line: run the demo, render a report from a run file, start JupyterLab, stop the local server."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from .config import load_config, notebooks_folder, output_folder
from .errors import PbmError, redact
from .lab import lab_command, run_lab
from .local_server import running_server, stop_local_server
from .measure import PerformanceRun
from .notebooks import NOTEBOOKS, run_notebook
from .report import write_report


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; None takes the process's own.

    Returns:
        Exit status: 0 done, 1 an error that was said in a sentence, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except PbmError as error:
        print(f"{type(error).__name__}: {redact(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again: the load goes on where it stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pbm_lib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="execute the four notebooks in order and write the report")
    _add_config(demo)
    demo.add_argument("--output", default="", metavar="DIR", help="folder of the results (default: outputs/)")
    demo.set_defaults(run=_demo)

    lab = commands.add_parser("lab", help="start JupyterLab on the notebooks, with the demo's settings")
    _add_config(lab)
    lab.add_argument("extra", nargs="*", help="further options for JupyterLab, after --")
    lab.set_defaults(run=_lab)

    report = commands.add_parser("report", help="render the report of a saved run; needs no server")
    report.add_argument("run_file", metavar="RUN.json")
    report.add_argument("--baseline", metavar="RUN.json", help="a run to compare with, side by side")
    report.add_argument("--output", default="", metavar="DIR", help="folder of the report (default: outputs/)")
    report.set_defaults(run=_report)

    stop = commands.add_parser("stop", help="stop the local server; the claims stay on disk")
    _add_config(stop)
    stop.set_defaults(run=_stop)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="", metavar="FILE", help="settings (default: config.yaml, found upward)")


def _demo(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    output = output_folder(options.output)
    parameters = {"config_path": str(config.path), "output_dir": str(output)}
    started = time.monotonic()
    for name in NOTEBOOKS:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        run_notebook(name, output / "notebooks", parameters)
        print(f"== {name} done in {time.monotonic() - began:.0f} s", flush=True)
    print(f"Report: {output / 'performance_report.html'} (all in {time.monotonic() - started:.0f} s)")
    if running_server(config):
        command = shlex.join([sys.executable, "-m", "pbm_lib", "stop", "--config", str(config.path)])
        print(f"The local server goes on, so that the notebooks find the claims. Stop it: {command}")
    return 0


def _lab(options: argparse.Namespace) -> int:
    config = load_config(options.config)  # a mistake in it is said here, not in every notebook
    print(f"JupyterLab opens in your browser, with the settings of {config.path}. Ctrl-C here ends it.", flush=True)
    return run_lab(lab_command(notebooks_folder(), options.extra), config.path)


def _report(options: argparse.Namespace) -> int:
    baseline = PerformanceRun.load(options.baseline) if options.baseline else None
    written = write_report(PerformanceRun.load(options.run_file), output_folder(options.output), baseline=baseline)
    print(written)
    return 0


def _stop(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    stopped = stop_local_server(config)
    print(f"Stopped the local server of {config.path}." if stopped else f"No local server of {config.path} is running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
