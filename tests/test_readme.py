"""README is true: every key, folder, notebook and command that exists is in it, and no other."""

import re
import tomllib
from dataclasses import fields, is_dataclass

import pytest
from conftest import PROJECT
from processes import run_python

import pbm_lib
from pbm_lib import Config
from pbm_lib.cli.main import main
from pbm_lib.cli.notebooks import NOTEBOOKS

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_key_of_the_settings_is_in_the_table_and_no_other():
    sections = {field.name: field.type for field in fields(Config) if is_dataclass(field.type)}
    keys = {f"{name}.{field.name}" for name, type_ in sections.items() for field in fields(type_)}
    assert set(re.findall(r"^\| `(\w+\.\w+)`", section("Settings"), re.MULTILINE)) == keys


def test_every_folder_of_the_package_is_listed_from_the_bottom_up():
    listed = re.findall(r"^    (\w+)/ ", section("What is where"), re.MULTILINE)
    assert set(listed) == {file.parent.name for file in (PROJECT / "pbm_lib").glob("*/__init__.py")}
    layers = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert listed == [layer for layer in layers["contracts"][0]["layers"][::-1] if layer in listed]


def test_every_file_that_a_change_leads_to_exists():
    named = re.findall(r"`((?:\w+/)*\w+\.(?:py|json|mplstyle|html\.j2))`", section("Working on it"))
    assert len(named) >= 10
    assert [name for name in named if not (PROJECT / "pbm_lib" / name).is_file()] == []


def test_every_notebook_is_listed_and_no_other():
    assert tuple(re.findall(r"^\| `(\d\d_\w+)`", section("The four notebooks"), re.MULTILINE)) == NOTEBOOKS


def test_every_command_is_shown_and_no_other(capsys):
    shown = set(re.findall(r"-m pbm_lib (\w+)", README))
    with pytest.raises(SystemExit):
        main(["--help"])
    assert shown == set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))


def test_the_two_commands_are_complete_lines():
    commands = re.findall(r"^python3 -m venv \.venv && .*$", README, re.MULTILINE)
    assert [command.rsplit(" ", 2)[-2:] for command in commands] == [["pbm_lib", "demo"], ["-m", "pytest"]]


def test_the_pictures_exist_and_are_small():
    pictures = re.findall(r"!\[[^\]]{10,}\]\(([^)]+)\)", README)
    assert pictures
    assert all((PROJECT / picture).stat().st_size < 200_000 for picture in pictures)


def test_the_shell_example_runs(loaded_store, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.setattr(pbm_lib, "connect", lambda: loaded_store)
    names: dict = {}
    exec(example, names)
    assert names["page"].documents[0]["billingProvider"]["providerTin"] == names["provider"].tin


def test_links_and_files_that_it_names_exist():
    for path in ("config.yaml", "notebooks", "pbm_lib", "tests/benchmarks", "outputs"):
        assert path in README
        assert (PROJECT / path).exists()


def test_importing_the_package_needs_no_pandas_and_no_jupyter():
    code = (
        "import pbm_lib, sys; print([m for m in ('pandas', 'matplotlib', 'papermill', 'IPython') if m in sys.modules])"
    )
    done = run_python("-c", code)
    assert done.stdout.strip() == "[]"
