"""`python -m pbm_lib stop`: end the local server."""

import argparse

from ..config_file import load_config
from ..store.local_server import stop_local_server


def run(options: argparse.Namespace) -> int:
    """Stop the server and say so."""
    config = load_config(options.config)
    stopped = stop_local_server(config)
    print(f"Stopped the local server of {config.path}." if stopped else f"No local server of {config.path} is running.")
    return 0
