"""The load starts processes. It works from a script, a pipe and an interactive shell, whatever the script contains."""

import pytest
from loads import configured_digest, stored_digest
from processes import run_python

SCRIPT = """
import pbm_lib as pbm
print("begins")
store = pbm.connect(pbm.load_config({path!r}))
pbm.setup_collection(store)
print(pbm.load_claims(store, workers=2, progress=False, replace=True))
"""


@pytest.fixture
def run(store, test_uri, tmp_path):
    """Call it with code and Python's arguments to get the ended process; `piped` sends the code to standard input."""

    def ended(code, arguments, *, piped=False):
        (tmp_path / "script.py").write_text(code)
        return run_python(*arguments, uri=test_uri, cwd=tmp_path, input=code if piped else "")

    return ended


@pytest.mark.parametrize(
    ("arguments", "piped"),
    [(["script.py"], False), (["-"], True), (["-i"], True), (["-q", "-i", "-c", "0"], True)],
    ids=["a script", "a script from a pipe", "an interactive shell", "an interactive shell after -c"],
)
def test_a_load_works_from(store, run, arguments, piped):
    ended = run(SCRIPT.format(path=str(store.config.path)), arguments, piped=piped)
    assert ended.returncode == 0, ended.stderr
    # Only once: the loading processes do not run the script again.
    assert ended.stdout.count("begins") == ended.stdout.count("6,000 claims on the server") == 1, ended.stderr
    assert stored_digest(store) == configured_digest(store.config)


def test_the_scripts_own_name_is_back_after_the_load(store, run):
    code = SCRIPT.format(path=str(store.config.path)) + "print(__file__, __spec__)\n"
    assert run(code, ["script.py"]).stdout.splitlines()[-1].endswith("script.py None")


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import psutil
import pbm_lib as pbm
store = pbm.connect(pbm.load_config({path!r}))
try:
    pbm.load_claims(store, workers=32, batch_size=100, progress=False)
finally:
    left = psutil.Process().children(recursive=True)
    print([process for process in left if "spawn_main" in " ".join(process.cmdline())])
"""


def test_too_few_open_files_for_the_workers_is_an_error_that_says_so_and_leaves_no_process(store, run):
    ended = run(FEW_FILES.format(path=str(store.config.path)), ["script.py"])
    assert (ended.returncode, ended.stdout.splitlines()) == (1, ["[]"]), ended.stderr
    assert ended.stderr.count("Traceback") == 1, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert "LoadError: This machine could not start 32 loading processes (Too many open files)" in last
    assert "0 of 6,000 claims" in last
    assert "workers=2" in last
    assert "ulimit -n" in last
