"""`python -m pbm_lib stop`: stop the local server."""

import argparse

from ..config_file import load_config
from ..store.local_server import stop_local_server
from ..store.local_state import holds_database, reject_others_folder


def run(options: argparse.Namespace) -> int:
    """Stop the server and print the result."""
    config = load_config(options.config)
    reject_others_folder(config.data_dir)
    gone = not holds_database(config.data_dir)  # checked first: a mongod writes to the folder again as it ends
    if not stop_local_server(config):
        print(f"No local server for {config.path} is running.")
        return 0
    print(f"Stopped the local server for {config.path}.")
    if gone:
        print(f"Its data folder {config.data_dir} was deleted or moved. The next start creates an empty one.")
    return 0
