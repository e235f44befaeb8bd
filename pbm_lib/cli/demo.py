"""`python -m pbm_lib demo`: run the four notebooks in order."""

import argparse
import shlex
import sys
import time

from ..config_file import load_config, output_folder
from ..store.connection import given_uri
from ..store.local_server import running_server
from .notebooks import NOTEBOOKS, reject_overwriting, run_notebook


def run(options: argparse.Namespace) -> int:
    """Run the notebooks and print where the report is."""
    config = load_config(options.config)
    output = output_folder(options.output)
    reject_overwriting(output / "notebooks")
    parameters = {"config_path": str(config.path), "output_dir": str(output)}
    started = time.monotonic()
    for name in NOTEBOOKS:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        run_notebook(name, output / "notebooks", parameters)
        print(f"== {name} done in {time.monotonic() - began:.0f} s", flush=True)
    print(f"Report: {output / 'performance_report.html'} (total {time.monotonic() - started:.0f} s)")
    if not given_uri(config) and running_server(config):
        command = shlex.join([sys.executable, "-m", "pbm_lib", "stop", "--config", str(config.path)])
        print(f"The local server keeps running, so the notebooks find the claims. To stop it: {command}")
    return 0
