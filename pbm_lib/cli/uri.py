"""`python -m pbm_lib uri`: the local server's address, for Compass or mongosh."""

import argparse

from ..config_file import load_config
from ..errors import ServerUnavailable
from ..store.connection import given_uri
from ..store.local_server import running_server
from ..store.local_state import refuse_others_folder


def run(options: argparse.Namespace) -> int:
    """Print the address. It holds the password, which stands nowhere else that a user sees."""
    config = load_config(options.config)
    if given_uri(config):
        raise ServerUnavailable(
            "MONGODB_URI is set, so the local server is not used: its own address is the one to pass to Compass or "
            "mongosh. To see the local server's, unset MONGODB_URI."
        )
    refuse_others_folder(config.data_dir)
    server = running_server(config)
    if server is None:
        raise ServerUnavailable(f"No local server of {config.path} is running. The demo, or connect(), starts it.")
    print(server.uri)
    return 0
