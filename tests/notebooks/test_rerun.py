"""Any cell can be run twice in a row, as happens in front of an audience."""

import copy

import nbformat
import papermill
import pytest
from conftest import PROJECT
from traitlets.config import Config

from pbm_lib.cli.notebooks import NOTEBOOKS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from papermill and Jupyter, not from this code


# cli/test_demo.py runs 04 twice as a whole. Its cells only read the run, and a second measurement takes long.
@pytest.mark.parametrize("name", NOTEBOOKS[:3])
def test_running_every_cell_twice_gives_no_error_and_no_warning(name, loaded_store, tmp_path, test_uri, monkeypatch):
    notebook = nbformat.read(PROJECT / "notebooks" / f"{name}.ipynb", as_version=4)
    doubled = []
    for cell in notebook.cells:
        doubled.append(cell)
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            again = copy.deepcopy(cell)
            again.id = f"{cell.id}-again"
            doubled.append(again)
    notebook.cells = doubled
    nbformat.write(notebook, tmp_path / "doubled.ipynb")
    monkeypatch.setenv("MONGODB_URI", test_uri)
    executed = papermill.execute_notebook(
        str(tmp_path / "doubled.ipynb"), str(tmp_path / "executed.ipynb"), kernel_name="python3", progress_bar=False,
        parameters={"config_path": str(loaded_store.config.path), "output_dir": str(tmp_path / "out")},
        store_widget_state=False, config=Config({"KernelManager": {"transport_encryption": "auto"}}),
    )  # fmt: skip
    outputs = {cell.id: cell.outputs for cell in executed.cells if cell.cell_type == "code"}
    assert not [output for shown in outputs.values() for output in shown if output.get("name") == "stderr"]
    for cell_id, shown in outputs.items():
        if not cell_id.endswith("-again"):
            continue
        assert [output.output_type for output in shown if output.output_type != "stream"] == [
            output.output_type for output in outputs[cell_id.removesuffix("-again")] if output.output_type != "stream"
        ]
