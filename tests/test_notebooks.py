"""The notebooks run on what is shipped, define nothing, and are committed as they ran."""

import ast
import json

import nbformat
import pytest

from tests.notebook_run import NOTEBOOKS, code, of_this_machine, run, sources_digest, tidy

MOST_BYTES = 400_000

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook):
    return [one for cell in notebook.cells for one in cell.get("outputs", ())]


def readable(output):
    """What a person reads of an output: streams, text and tables; no images."""
    shown = {k: v for k, v in output.get("data", {}).items() if k.startswith("text/")}
    return output.get("text", "") + "".join(shown.values())


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@each
def test_it_runs_and_its_claims_hold(path, tmp_path):
    ran = tidy(run(path, tmp_path))  # the last cells assert what the prose says
    assert all(output.output_type != "error" for output in outputs(ran))
    assert all(output.get("name") != "stderr" for output in outputs(ran))
    committed = nbformat.read(path, as_version=4)
    kinds = [
        [(one.output_type, sorted(one.get("data", ()))) for one in outputs(notebook)]
        for notebook in (ran, committed)
    ]
    assert kinds[0] == kinds[1]
    written = {file.name for file in (tmp_path / "notebooks").iterdir()}
    assert written == {file.name for file in path.parent.iterdir() if file.name[0] != "."}


@each
def test_committed_outputs_are_of_these_cells(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.sources == sources_digest(notebook), "run: make notebooks"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    found = outputs(notebook)
    assert any("image/png" in one.get("data", ()) for one in found)
    assert all(one.output_type != "error" and one.get("name") != "stderr" for one in found)
    # Written as `make notebooks` writes them: nothing volatile is left.
    assert nbformat.writes(tidy(notebook)) == nbformat.writes(nbformat.read(path, as_version=4))


@each
def test_nothing_of_a_machine_is_committed(path):
    notebook = nbformat.read(path, as_version=4)
    one, other = (f"/{top}/x" for top in ("home", "tmp"))  # built, so that no path stands here
    assert of_this_machine(f" {one} and ({other}) at 1/tmp") == [one, other]
    for text in [*map(readable, outputs(notebook)), json.dumps(notebook.metadata)]:
        assert of_this_machine(text) == []
        assert " object at 0x" not in text
    assert path.stat().st_size < MOST_BYTES


@each
def test_it_defines_nothing_and_ends_by_asserting(path):
    cells = [ast.parse(source) for source in code(nbformat.read(path, as_version=4))]
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for cell in cells for node in ast.walk(cell) if isinstance(node, defining)]
    assert any(isinstance(node, ast.Assert) for node in ast.walk(cells[-1]))
    ours = {
        node.module.split(".")[0]
        for cell in cells
        for node in ast.walk(cell)
        if isinstance(node, ast.ImportFrom)
    }
    assert {"inference", "training"} & ours
    assert "tests" not in ours


@each
def test_figures_have_words_for_who_does_not_see_them(path):
    found = outputs(nbformat.read(path, as_version=4))
    images = [one for one in found if "image/png" in one.get("data", ())]
    assert all(len(one.metadata["image/png"]["alt"]) > 20 for one in images)
