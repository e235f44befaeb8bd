"""Child processes of this program. They do not run the caller's script, and they end with their parent."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, parent_process, resource_tracker


@contextmanager
def spawning() -> Iterator[None]:
    """Within this block, new processes do not run the caller's script, and Ctrl-C does not interrupt their start.

    By default, Python would run the script again in each process. Ours need nothing from it, so a script may start them
    without `if __name__ == "__main__":`, even if the script itself comes from a pipe.
    """
    main = vars(sys.modules["__main__"])
    hidden = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        with _interrupt_held_back():
            yield
    finally:
        main.update(hidden)


def obey_parent() -> None:
    """Leave Ctrl-C, which reaches the whole group, to the parent; end when the parent dies. Each child calls this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Delay Ctrl-C until this block ends. Processes started in it never receive Ctrl-C, so none ends in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # if it started within the block, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
