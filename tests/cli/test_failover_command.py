"""`python -m pbm_lib failover`, as a user types it."""

import pytest
from conftest import write_config
from processes import run_python
from servers import Mongod, running

pytestmark = pytest.mark.replica_set


def test_it_prints_what_was_observed_and_leaves_only_a_chart(tmp_path):
    config = write_config(tmp_path, {"failover": {"seconds": 6}})
    done = run_python(
        *("-m", "pbm_lib", "failover", "--config", config, "--output", tmp_path / "out"), cwd=tmp_path, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    for words in (
        "Longest gap ",
        "0 lost, 0 repeated",
        "was killed (SIGKILL)",
        "after 2 s here; MongoDB's default is 10 s",
    ):
        assert words in said
    assert f"Chart: {tmp_path / 'out' / 'failover.png'}" in done.stdout
    assert "mongodb://" not in done.stdout
    assert (tmp_path / "out" / "failover.png").read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in tmp_path.iterdir()} == {"config.yaml", "out"}


def test_a_port_in_use_ends_it_with_a_one_sentence_error(tmp_path):
    with running(Mongod(tmp_path / "other")) as other:
        config = write_config(tmp_path, {"failover": {"first_port": other.port}})
        done = run_python("-m", "pbm_lib", "failover", "--config", config, "--output", tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ServerUnavailable: Port {other.port} on 127.0.0.1 is in use by process ")
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_created_is_reported_before_anything_starts(tmp_path):
    (tmp_path / "file").write_text("")
    config = write_config(tmp_path)
    done = run_python(
        "-m", "pbm_lib", "failover", "--config", config, "--output", tmp_path / "file" / "below", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ConfigError: Cannot create the output folder")
    assert done.stdout == ""
