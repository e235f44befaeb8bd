"""Python in its own process, started the way a user starts it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import psutil


def run_python(
    *words: object, uri: str | None = None, timeout: float = 120, **options: Any
) -> subprocess.CompletedProcess:
    """Run Python with these arguments until it ends.

    Args:
        *words: the arguments after `python`.
        uri: its MONGODB_URI; by default it inherits this process's, if any.
        timeout: seconds until it is killed.
        **options: of `subprocess.run`; `env` is added to this environment, `python` is another interpreter.

    Returns:
        A `CompletedProcess` with its output as text.
    """
    return subprocess.run(**_started(words, uri, options), capture_output=True, timeout=timeout)


def start_python(*words: object, uri: str | None = None, **options: Any) -> subprocess.Popen:
    """Start Python with these arguments, as the leader of its own process group; the caller ends it."""
    return subprocess.Popen(**_started(words, uri, options), start_new_session=True)


def spawned(process: subprocess.Popen | psutil.Process) -> list[psutil.Process]:
    """The processes that Python's multiprocessing has spawned for a process, without its resource tracker."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # raised for a zombie too
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def have_ended(processes: list[psutil.Process]) -> bool:
    """Whether all of them have ended, within 3 seconds at most; a zombie counts as ended."""
    _, left = psutil.wait_procs(processes, timeout=3)
    return all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in left)


def _started(words: tuple[object, ...], uri: str | None, options: dict[str, Any]) -> dict[str, Any]:
    more: Mapping[str, str] = options.pop("env", {})
    return {
        "args": [str(options.pop("python", sys.executable)), *map(str, words)],
        "env": {**os.environ, **({"MONGODB_URI": uri} if uri else {}), **more},
        "encoding": "utf-8",
        **({} if {"stdin", "input"} & options.keys() else {"stdin": subprocess.DEVNULL}),
        **options,
    }
