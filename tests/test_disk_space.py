"""The tests start dozens of servers: they reject a disk that is too small for that, and leave nothing on it."""

from conftest import PROJECT
from processes import run_python
from servers import tmpfs


def run_tests(folder, *words):
    """Run pytest as its own process with this folder for temporary files."""
    return run_python(
        "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *words, cwd=PROJECT, env={"TMPDIR": str(folder)}
    )


def test_too_little_room_is_reported_before_the_first_test(tmp_path):
    folder = tmp_path / "small"
    with tmpfs(folder, 10):
        done = run_tests(folder, "tests/test_mql.py")
    assert done.returncode == 4
    assert f"The tests need 5 GB of free disk space in {folder}, which has 0.0 GB. Free some space" in done.stderr
    assert "passed" not in done.stdout


def test_the_files_of_passed_tests_are_removed(tmp_path):
    done = run_tests(tmp_path, "tests/store/test_local_server.py", "-k", "port_in_use")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
