"""Processes that this program starts of itself: they run nothing of the caller's script, and end with their parent."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, parent_process, resource_tracker


@contextmanager
def spawning() -> Iterator[None]:
    """Within this block a process that starts runs nothing of the caller's script, and no Ctrl-C breaks off its start.

    Python would have it run the script again. Ours need nothing of it, so a script may start them without
    `if __name__ == "__main__":`, and from a pipe, too.
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
    """Leave Ctrl-C, which reaches the whole group, to the parent; end when that dies. A started process calls this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Within this block Ctrl-C waits. A process that starts in it never hears one: it would end in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its own start would end the waiting
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
