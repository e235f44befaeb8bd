"""`python -m pbm_lib uri`: print the local server's address, for Compass or mongosh."""

import argparse

from ..config_file import load_config
from ..errors import ServerUnavailable
from ..store.connection import given_uri
from ..store.local_server import running_server
from ..store.local_state import reject_others_folder


def run(options: argparse.Namespace) -> int:
    """Print the address. It contains the password, which users see nowhere else."""
    config = load_config(options.config)
    if given_uri(config):
        raise ServerUnavailable(
            "MONGODB_URI is set, so the local server is not used. Use that address in Compass or mongosh. To print the "
            "local server's address, unset MONGODB_URI."
        )
    reject_others_folder(config.data_dir)
    server = running_server(config)
    if server is None:
        raise ServerUnavailable(
            f"No local server for {config.path} is running. To start it, run the demo or call connect()."
        )
    print(server.uri)
    return 0
