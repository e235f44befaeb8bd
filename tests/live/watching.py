"""A watch in its own process, which can be killed: python tests/live/watching.py CONFIG"""

import sys
from pathlib import Path

from pbm_lib import connect, list_providers, load_config, watch_pages


def main(path: Path) -> None:
    with connect(load_config(path)) as store:
        tin = list_providers(store.config)[0].tin
        watch_pages(store, tin, seconds=60, pages_per_second=20, feed_per_second=100, progress=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
