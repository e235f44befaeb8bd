"""`python -m pbm_lib failover`: read pages while one node of a local replica set steps down and another is killed."""

import argparse
import signal
import sys

from ..chart_style import to_png
from ..config_file import load_config, output_folder
from ..errors import ConfigError
from ..live.chart import watch_chart
from ..live.failover import watch_failover


def run(options: argparse.Namespace) -> int:
    """Show the failover, print what was seen, and save its chart."""
    config = load_config(options.config)
    target = output_folder(options.output) / "failover.png"
    # A supervisor sends SIGTERM, and a closed terminal SIGHUP. Their default action would leave the mongods running.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    print("Starting three mongods as a replica set and loading a small collection.", flush=True)
    try:
        watch = watch_failover(config)
    except KeyboardInterrupt:
        print("Interrupted. The three mongods were stopped and their data deleted.", file=sys.stderr)
        return 130
    print(watch)
    try:
        target.write_bytes(to_png(watch_chart(watch)))
    except OSError as error:
        raise ConfigError(f"Cannot write {target}: {error.strerror}. Choose another --output folder.") from None
    print(f"Chart: {target}")
    return 0
