"""README and config.yaml's comments are true: what they name exists, and no notebook, folder or command is omitted."""

import ast
import json
import re
import tomllib
from functools import cache

import pytest
import yaml
from conftest import PROJECT
from processes import run_python
from pydantic import TypeAdapter

import pbm_lib
from pbm_lib import Config
from pbm_lib.cli.main import main
from pbm_lib.cli.notebooks import NOTEBOOKS

README = (PROJECT / "README.md").read_text(encoding="utf-8")
SETTINGS = (PROJECT / "config.yaml").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Cells of the tables in a section, without header rows."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@cache
def notebook_sections() -> dict[str, str]:
    """Text of each numbered section of the notebooks, code included: "3.4" is in 03_explore."""
    found: dict[str, str] = {}
    for name in NOTEBOOKS:
        cells = json.loads((PROJECT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        for number, rest in re.findall(r"^## (\d+\.\d+) (.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
            assert number.split(".")[0] == name[1]
            found[number] = rest
    return found


@cache
def texts_of_the_program() -> list[str]:
    """Every string in the code of pbm_lib, with a line break in place of each formatted value."""
    found = []
    for file in (PROJECT / "pbm_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(
                        getattr(part, "value", "") if isinstance(part, ast.Constant) else "\n" for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_it_is_short():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 200] == []


def test_every_folder_is_listed_and_those_of_the_package_are_in_order_from_the_bottom_up():
    layout = section("Layout")
    listed = re.findall(r"^    (\w+)/ ", layout, re.MULTILINE)
    assert set(listed) == {file.parent.name for file in (PROJECT / "pbm_lib").glob("*/__init__.py")}
    layers = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert listed == [layer for layer in layers["contracts"][0]["layers"][::-1] if layer in listed]
    tracked = {"notebooks", "outputs", "pbm_lib", "tests"}
    assert set(re.findall(r"^(\w+)/ ", layout, re.MULTILINE)) == tracked
    assert all((PROJECT / folder).is_dir() for folder in tracked)


def test_every_file_that_a_change_leads_to_exists():
    named = re.findall(r"`((?:\w+/)*\w+\.(?:py|json))`", section("Layout"))
    assert len(named) >= 5
    assert [name for name in named if not (PROJECT / "pbm_lib" / name).is_file()] == []


def test_links_and_files_that_it_names_exist():
    links = re.findall(r"\]\(([^)]+)\)", README)
    files = re.findall(r"`((?:tests|notebooks|pbm_lib)/[\w/.]+)`", README)
    assert len(links) > len(NOTEBOOKS) and files
    assert [path for path in links + files if not (PROJECT / path).exists()] == []


def test_every_notebook_is_listed_and_no_other():
    assert tuple(re.findall(r"^\| \[`(\d\d_\w+)`\]", section("The four notebooks"), re.MULTILINE)) == NOTEBOOKS


def test_every_question_is_answered_in_sections_that_exist():
    questions = rows("What they ask")
    assert len(questions) >= 9
    for question, _answer, where in questions:
        numbers = where.split(", ")
        assert [number for number in numbers if number not in notebook_sections()] == [], question


# A word that one of the sections must contain, so that a renumbered notebook is noticed.
@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Why not a relational table?", "migration"),
        ("Newest first?", "Newest first"),
        ("Page N?", "skip/limit"),
        ("Is the bound safe?", "validator"),
        ("What if D is 180?", "D days"),
        ("ESR?", "ESR"),
        ("Why not `$facet`?", "$facet"),
        ("Why is the smallest provider no faster?", "scattered"),
        ("Why 16 KB leaf pages?", "leaf page"),
        ("A node dies?", "failover"),
        ("Can I trust the p95?", "95% interval"),
    ],
)
def test_the_sections_are_about_the_question(question, word):
    (where,) = [row[2] for row in rows("What they ask") if row[0] == question]
    assert any(word in notebook_sections()[number] for number in where.split(", "))


def test_every_setting_that_it_quotes_exists():
    settings = yaml.safe_load(SETTINGS)
    quoted = re.findall(rf"`((?:{'|'.join(settings)})\.\w+)(?:: (\w+))?`", README)
    assert len(quoted) >= 5
    for key, _value in quoted:
        part, name = key.split(".")
        assert name in settings[part], key
    assert [value for _key, value in quoted if value] == ["overlap"]
    assert "`performance.targets`" in README


def test_every_message_that_it_quotes_is_in_the_program():
    quoted = [re.fullmatch(r'"(.+)"', row[0]) for row in rows("Troubleshooting")]
    messages = [match[1] for match in quoted if match]
    assert len(messages) >= 3
    for message in messages:
        pattern = re.compile(".*".join(map(re.escape, message.split("..."))), re.DOTALL)
        assert any(pattern.search(text) for text in texts_of_the_program()), message


def test_every_setting_has_a_comment_with_its_bounds():
    schema = TypeAdapter(Config).json_schema()
    for part in (part for part in schema["properties"] if part != "path"):
        lines = SETTINGS.split(f"\n{part}:")[1].split("\n\n")[0]
        for key, rule in schema["$defs"][schema["properties"][part]["$ref"].split("/")[-1]]["properties"].items():
            (comment,) = re.findall(rf"^  {key}:.*?# (.+)$", lines, re.MULTILINE)
            rule = {**rule, **rule.get("items", {})}
            bounds = [rule[name] for name in ("minimum", "maximum") if rule.get(name, 0) not in (0, 1)]
            assert [bound for bound in bounds if f"{bound:,}" not in comment] == [], f"{part}.{key}"


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


def test_importing_the_package_needs_no_pandas_and_no_jupyter():
    code = (
        "import pbm_lib, sys; print([m for m in ('pandas', 'matplotlib', 'papermill', 'IPython') if m in sys.modules])"
    )
    done = run_python("-c", code)
    assert done.stdout.strip() == "[]"
