"""Run the demo, show a failover, render a report, start JupyterLab, stop the local server, or print its address."""

import argparse
import io
import sys
from importlib import import_module

from ..errors import PbmError, hide_addresses


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; None uses those of the process.

    Returns:
        Exit status: 0 for success, 1 for an error that was reported in one sentence, 130 if interrupted.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path or name may contain characters that the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    # Each command is a module in this folder, imported only when it runs: stopping the server needs no charts.
    command = import_module(f"..{options.command}", __name__)
    try:
        return command.run(options)
    except PbmError as error:
        print(f"{type(error).__name__}: {hide_addresses(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again; an interrupted load resumes where it stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pbm_lib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser("demo", help="run the four notebooks in order and write the report")
    _add_config(demo)
    demo.add_argument("--output", default="", metavar="DIR", help="folder for the results (default: outputs/)")

    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab with the demo's settings")
    _add_config(lab)
    lab.add_argument(
        "extra", nargs="*", metavar="OPTION", help="JupyterLab's own options, after --: lab -- --no-browser"
    )

    report = commands.add_parser("report", help="write the report of a saved run; no server needed")
    report.add_argument("run_file", metavar="RUN.json", help="run file, such as one in outputs/runs/")
    report.add_argument("--baseline", metavar="RUN.json", help="run to compare with, side by side")
    report.add_argument("--output", default="", metavar="DIR", help="folder for the report (default: outputs/)")

    failover = commands.add_parser("failover", help="read pages while nodes of a local replica set fail")
    _add_config(failover)
    failover.add_argument("--output", default="", metavar="DIR", help="folder for the chart (default: outputs/)")

    for name, words in (
        ("customer", "who the report is for"),
        ("presenter", "who presents it"),
        ("next-steps", "what to do next, in one line"),
    ):
        report.add_argument(f"--{name}", default="", metavar="TEXT", help=f"{words} (shown on the first page)")

    stop = commands.add_parser("stop", help="stop the local server; the claims stay on disk")
    _add_config(stop)

    uri = commands.add_parser("uri", help="print the local server's address, with its password, for Compass or mongosh")
    _add_config(uri)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="", metavar="FILE", help="settings file (default: the nearest config.yaml)")
