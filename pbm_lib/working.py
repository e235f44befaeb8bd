"""Show what a long call is doing where a user can see it: in a notebook cell or in a terminal."""

import html
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from typing import Any, Protocol

from .display import kernel_of_notebook, show_in_notebook

_SHOW_AFTER_SECONDS = 1.0
_ELLIPSIS = "…"


@contextmanager
def working(text: str, *, progress: bool = True) -> Iterator[Callable[[str], None]]:
    """Show what this block is doing, and for how long, after its first second. The line is removed when the block ends.

    In a notebook, it is a line of the cell's output; in a terminal, a line on standard error. Nothing is shown where
    nobody would see it: in a notebook that papermill runs, if standard error is not a terminal, in a thread other than
    the main one (which alone has a cell), and in a process that this program started. Within another such block, the
    inner block's text replaces the outer one's until the inner block ends.

    A separate thread updates the line about once per second, so the block can still measure times.

    Args:
        text: what the block is doing, for example "Building the index"; the seconds are added.
        progress: whether to show anything at all.

    Yields:
        A function that takes a new text and starts its seconds again at zero.
    """
    outer = _Line.shown if progress and _has_cell() else None
    if outer is not None:
        before = outer.doing
        outer.say(text)
        try:
            yield outer.say
        finally:
            outer.doing = before
        return
    place = _place() if progress else None
    if place is None:
        yield _to_nobody
        return
    line = _Line.shown = _Line(text, place)
    try:
        line.begin()
        yield line.say
    finally:
        _Line.shown = None
        line.end()


@contextmanager
def unsaid() -> Iterator[None]:
    """Show no line within this block, because something else shows the progress, such as a progress bar."""
    if not _has_cell() or _Line.shown is not None:
        yield
        return
    _Line.shown = _Line("", None)  # never shown, because it is never begun
    try:
        yield
    finally:
        _Line.shown = None


class _Place(Protocol):
    """Where a line is shown."""

    def show(self, text: str) -> None: ...

    def clear(self) -> None: ...


class _Line:
    """The text of what is being done, and the thread that shows it."""

    shown: "_Line | None" = None  # the main thread's line; no other thread has one

    def __init__(self, text: str, place: _Place | None):
        self.doing = (text, time.monotonic())
        self._place = place
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="working", daemon=True)

    def say(self, text: str) -> None:
        """Take a new text; the thread shows it the next time it writes."""
        self.doing = (text, time.monotonic())

    def begin(self) -> None:
        with suppress(RuntimeError):  # if no more threads can be started, there is no line
            self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        # If the front end or the terminal fails, the work continues without a line.
        with suppress(Exception):
            pause = _SHOW_AFTER_SECONDS
            while not self._is_over.wait(pause):
                text, since = self.doing
                elapsed = time.monotonic() - since
                seconds = int(elapsed + 0.05)  # a wait may end a little early
                for_how_long = f" {seconds:,} s" if seconds else ""
                self._place.show(f"{text.rstrip(' .' + _ELLIPSIS)} {_ELLIPSIS}{for_how_long}")
                pause = seconds + 1 - elapsed
        with suppress(Exception):
            self._place.clear()


class _Cell:
    """An output of the running notebook cell."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        if self._handle is None:
            self._handle = show_in_notebook(_Faint(text))
        else:
            self._handle.update(_Faint(text))

    def clear(self) -> None:
        if self._handle is not None:
            self._handle.update({}, raw=True)  # an output without data takes no space


class _Faint:
    """A line in a faint color, because it is not a result."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return f"<span style='color:var(--jp-ui-font-color2,inherit)'>{html.escape(self._text)}</span>"


class _Terminal:
    """The terminal's current line."""

    def __init__(self, stream: Any):
        self._stream = stream
        self._length = 0

    def show(self, text: str) -> None:
        # Some terminals show only ASCII, and a line that wraps could not be overwritten.
        text = text.replace(_ELLIPSIS, "...")[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{text.ljust(self._length)}")
        self._stream.flush()
        self._length = len(text)

    def clear(self) -> None:
        if self._length:
            self._stream.write(f"\r{' ' * self._length}\r")
            self._stream.flush()


def _has_cell() -> bool:
    """Whether this is the main thread, the only one with a cell or a terminal to itself."""
    return threading.current_thread() is threading.main_thread()


def _place() -> _Place | None:
    """Where a user would see a line; None if nobody would."""
    if not _has_cell() or parent_process() is not None:
        return None
    kernel = kernel_of_notebook()
    if kernel is not None:
        return _Cell() if _runs_a_cell_for_somebody(kernel) else None
    with suppress(Exception):  # there is no stream, it is closed, or it is an object without `isatty`
        if sys.stderr.isatty():
            return _Terminal(sys.stderr)
    return None


def _runs_a_cell_for_somebody(kernel: Any) -> bool:
    """Whether a kernel is running a cell, not a widget's callback, for a front end that can ask its user for input."""
    try:
        request = kernel.get_parent()
        return request["header"]["msg_type"] == "execute_request" and request["content"].get("allow_stdin", True)
    except (AttributeError, KeyError, TypeError):
        return False


def _to_nobody(text: str) -> None:
    """Ignore a new text, because nobody would see it."""
