"""Entry point of `python -m pbm_lib`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
