"""The notebooks: clean as committed, and any failure is a clear message. `cli/test_demo.py` runs all four."""

import os
import re

import nbformat
import papermill
import pytest
import yaml
from conftest import PROJECT, small_settings, write_config

from pbm_lib import ConfigError
from pbm_lib.cli.notebooks import NOTEBOOKS, run_notebook
from pbm_lib.errors import NotebookError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from papermill and Jupyter, not from this code
FILES = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def read(path):
    return nbformat.read(path, as_version=4)


def test_the_four_notebooks_exist_in_order():
    assert tuple(path.stem for path in FILES) == NOTEBOOKS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestAsCommitted:
    def test_it_is_valid_and_clean(self, path):
        notebook = read(path)
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code
        assert not any(cell.outputs or cell.execution_count for cell in code)

    def test_cell_ids_are_unique_and_readable(self, path):
        ids = [cell.id for cell in read(path).cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z][a-z-]*", cell_id) for cell_id in ids), ids

    def test_one_cell_holds_the_parameters_as_literals(self, path):
        tagged = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        lines = tagged[0].source.splitlines()
        assert lines[0].startswith('config_path: str = ""')
        assert lines[1].startswith('output_dir: str = ""')
        assert all(re.fullmatch(r"\w+: (str|int|bool|float) = [^#]+  # .+", line) for line in lines)

    def test_the_parameters_are_hidden_in_lab(self, path):
        (cell,) = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
        assert cell.metadata["jupyter"]["source_hidden"] is True
        assert not [cell.id for cell in read(path).cells if "papermill_description" in cell.source]

    def test_it_opens_with_the_one_thing_to_remember_and_ends_with_its_number(self, path):
        cells = read(path).cells
        assert "**Remember one thing:** " in cells[0].source
        last = [cell.source for cell in cells if cell.cell_type == "code"][-2:]
        assert any(re.search(r"^pbm\.\w+_cards?\((?!\d|\")", source, re.MULTILINE) for source in last)

    def test_cells_are_short_and_contain_no_logic(self, path):
        for cell in read(path).cells:
            if cell.cell_type == "code":
                lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#")]
                # Parameters are read once, by the person who runs the notebook, and not shown to customers.
                assert len(lines) <= (8 if "parameters" in cell.metadata.get("tags", []) else 5), cell.source
                assert not re.search(r"^\s*(def|class|if|try|while)\b", cell.source, re.MULTILINE), cell.source
                assert "sys.path" not in cell.source

    def test_it_has_prose_between_cells(self, path):
        cells = read(path).cells
        assert cells[0].cell_type == "markdown"
        assert cells[0].source.startswith(f"# {int(path.stem[:2])} · ")
        assert cells[-1].cell_type == "markdown" or path.stem == NOTEBOOKS[-1]
        words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
        assert words > 150


def test_the_tiers_and_the_sample_claim_are_shown_once():
    sources = [cell.source for path in FILES for cell in read(path).cells if cell.cell_type == "code"]
    for call in ("tiers_frame(", "show_claim("):
        assert sum(call in source for source in sources) == 1, call


def outputs(path):
    return [output for cell in read(path).cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.parametrize("name", ["03_explore", "04_performance"])
def test_a_notebook_opened_too_early_names_the_one_to_run(name, tmp_path, test_uri, monkeypatch):
    monkeypatch.setenv("MONGODB_URI", test_uri)
    config = write_config(tmp_path, {"mongodb": {"database": f"pbm_test_never_made_{os.getpid()}"}})
    with pytest.raises(NotebookError, match=r"Run notebook 0[12]_"):
        run_notebook(name, tmp_path, {"config_path": str(config), "output_dir": str(tmp_path)})
    errors = [output for output in outputs(tmp_path / f"{name}.ipynb") if output.output_type == "error"]
    assert len(errors) == 1
    assert "Traceback" not in "".join(errors[0].traceback)


def test_a_misspelled_key_is_one_sentence_in_the_notebook(tmp_path):
    config = write_config(tmp_path, {"mongodb": {"databse": "x"}})
    with pytest.raises(NotebookError, match="Did you mean database"):
        run_notebook("01_setup", tmp_path, {"config_path": str(config)})
    (error,) = [output for output in outputs(tmp_path / "01_setup.ipynb") if output.output_type == "error"]
    shown = "\n".join(error.traceback)
    assert shown.startswith("ConfigError: ")
    assert len(shown.splitlines()) == 1


def test_an_unknown_parameter_is_rejected(tmp_path):
    with pytest.raises(ConfigError, match=r"no parameter itterations\. Accepted: .*output_dir"):
        run_notebook("04_performance", tmp_path, {"itterations": 5})


def test_papermill_shows_the_parameters_with_their_help():
    for path in FILES:
        known = papermill.inspect_notebook(str(path))
        assert all(parameter["help"] and parameter["inferred_type_name"] != "None" for parameter in known.values())


def test_the_small_settings_have_the_same_keys_as_the_projects():
    project = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    small = small_settings()
    assert {section: set(keys) for section, keys in small.items()} == {
        section: set(keys) for section, keys in project.items()
    }
