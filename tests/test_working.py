"""The progress line of a slow call: in a real kernel, on a real terminal, and none where nobody is watching."""

import io
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from jupyter_client.manager import start_new_kernel
from processes import start_python

from pbm_lib.working import working

SLOW = """
with working("Running the <unbounded> query") as say:
    time.sleep(2.3)
    say("Running the bounded query …")
    time.sleep(2.3)
print("the result")
"""
NESTED = """
with working("Comparing both indexes"):
    with working("Building the index"):
        time.sleep(1.4)
    time.sleep(1.4)
"""


@pytest.fixture(scope="module")
def cell():
    """Call it with code to get the outputs of a cell in a real kernel; `headless` runs it as papermill does."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run(code, *, headless=False):
        messages = []
        client.execute_interactive(code, allow_stdin=not headless, timeout=60, output_hook=messages.append)
        told = [(message["header"]["msg_type"], message["content"]) for message in messages]
        return [(kind, content) for kind, content in told if kind not in ("status", "execute_input")]

    run("import threading, time\nfrom pbm_lib.working import unsaid, working")
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def lines(outputs):
    """The successive texts of the line; None where it was cleared."""
    shown = [content["data"] for kind, content in outputs if kind in ("display_data", "update_display_data")]
    return [data.get("text/plain") for data in shown]


class TestInANotebook:
    def test_a_slow_block_says_what_it_does_and_leaves_an_output_without_data(self, cell):
        outputs = cell(SLOW)
        assert lines(outputs) == [
            "Running the <unbounded> query … 1 s",
            "Running the <unbounded> query … 2 s",
            "Running the bounded query …",
            "Running the bounded query … 1 s",
            "Running the bounded query … 2 s",
            None,
        ]
        kinds = [kind for kind, _ in outputs]
        assert kinds == ["display_data", *["update_display_data"] * 5, "stream"]
        assert len({content["transient"]["display_id"] for _, content in outputs[:-1]}) == 1
        assert outputs[-2][1]["data"] == {}
        assert "&lt;unbounded&gt;" in outputs[0][1]["data"]["text/html"]

    def test_a_quick_block_shows_nothing(self, cell):
        assert cell("for number in range(50):\n    with working('Reading') as say:\n        say('Reading on')") == []

    def test_quick_steps_are_shown_once_they_take_long_together(self, cell):
        code = "with working('Reading') as say:\n    for n in range(8):\n        say(f'{n}')\n        time.sleep(.2)"
        shown = lines(cell(code))
        assert re.fullmatch(r"[45] …", shown[0])
        assert shown[1:] == [None]

    def test_a_block_within_another_is_shown_in_its_place(self, cell):
        assert lines(cell(NESTED)) == ["Building the index … 1 s", "Comparing both indexes … 2 s", None]

    def test_an_error_in_the_block_reaches_the_cell_and_the_line_is_cleared(self, cell):
        outputs = cell("with working('Reading'):\n    time.sleep(1.2)\n    1 / 0")
        assert [kind for kind, _ in outputs] == ["display_data", "update_display_data", "error"]
        assert outputs[-1][1]["ename"] == "ZeroDivisionError"
        assert lines(outputs)[-1] is None
        assert lines(cell("with working('Reading again'):\n    time.sleep(1.2)")) == ["Reading again … 1 s", None]

    def test_nothing_is_shown_when_papermill_runs_it(self, cell):
        assert [kind for kind, _ in cell(SLOW, headless=True)] == ["stream"]

    @pytest.mark.parametrize(
        "around", ["with working('Reading', progress=False):", "with unsaid(), working('Reading'):"]
    )
    def test_the_line_is_not_shown_when_it_is_turned_off(self, cell, around):
        assert lines(cell(f"{around}\n    time.sleep(1.2)")) == []
        assert lines(cell("with working('Reading'):\n    time.sleep(1.2)")) == ["Reading … 1 s", None]

    def test_a_line_that_is_shown_stays_when_a_bar_begins_within_its_block(self, cell):
        code = "with working('Reading'):\n    with unsaid():\n        time.sleep(1.2)\n    time.sleep(1)"
        assert lines(cell(code)) == ["Reading … 1 s", "Reading … 2 s", None]

    def test_a_thread_other_than_the_cells_shows_nothing(self, cell):
        code = "def work():\n    with working('Reading'):\n        time.sleep(1.3)\n"
        assert cell(f"{code}thread = threading.Thread(target=work)\nthread.start()\nthread.join()") == []
        # Nor does it change what the cell itself shows.
        both = "thread = threading.Thread(target=work)\nwith working('Waiting'):\n    thread.start()\n    thread.join()"
        assert lines(cell(f"{code}{both}")) == ["Waiting … 1 s", None]


def on_terminal(code):
    """What code writes to standard error, a terminal of 40 columns, and to standard output."""
    ours, theirs = os.openpty()
    try:
        code = f"import time\nfrom pbm_lib.working import unsaid, working\n{code}"
        process = start_python("-c", code, stdout=subprocess.PIPE, stderr=theirs, env={"COLUMNS": "40"})
    finally:
        os.close(theirs)
    written = b""
    with suppress(OSError):  # the other end is closed
        while part := os.read(ours, 4_096):
            written += part
    os.close(ours)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return written.decode(), printed


class TestInATerminal:
    def test_one_line_is_overwritten_and_cleared(self):
        written, printed = on_terminal(SLOW)
        first, *shown, last = written.split("\r")
        assert (first, last, printed) == ("", "", "the result\n")
        assert [text.rstrip() for text in shown] == [
            "Running the <unbounded> query ... 1 s",
            "Running the <unbounded> query ... 2 s",
            "Running the bounded query ...",
            "Running the bounded query ... 1 s",
            "Running the bounded query ... 2 s",
            "",
        ]
        assert [len(text) for text in shown] == [37, 37, 37, 33, 33, 33]

    def test_a_line_is_never_long_enough_to_wrap(self):
        written, _ = on_terminal("with working('x' * 90):\n    time.sleep(1.2)")
        assert written == f"\r{'x' * 39}\r{' ' * 39}\r"

    def test_a_quick_block_shows_nothing(self):
        assert on_terminal("with working('Reading'):\n    pass") == ("", "")

    def test_a_block_under_a_bar_shows_nothing(self):
        assert on_terminal("with unsaid(), working('Reading'):\n    time.sleep(1.2)") == ("", "")

    def test_a_child_process_shows_nothing(self):
        work = (
            "import time\nfrom pbm_lib.working import working\nwith working('Reading'):\n    time.sleep(1.2)\nprint(1)"
        )
        code = (
            "import multiprocessing\n"
            f"started = multiprocessing.get_context('spawn').Process(target=exec, args=({work!r}, {{}}))\n"
            "started.start()\nstarted.join()"
        )
        assert on_terminal(code) == ("", "1\n")


class NoTerminal(io.StringIO):
    """A terminal that cannot be written to."""

    def isatty(self):
        return True

    def write(self, text):
        raise OSError("gone")


@pytest.mark.parametrize("stream", [None, io.StringIO(), NoTerminal()], ids=["none", "file", "broken"])
def test_the_work_goes_on_when_no_line_can_be_shown(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    before = threading.active_count()
    with working("Reading") as say:
        say("Reading on")
        time.sleep(1.2)
    assert threading.active_count() == before
    assert stream is None or stream.getvalue() == ""
