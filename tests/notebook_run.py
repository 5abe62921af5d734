"""Runs the notebooks: `python -m tests.notebook_run` writes their outputs in place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

_TIMEOUT_S = 600  # of one cell; a notebook takes less than a minute
_KEPT_METADATA = {"image/png": ("width", "alt")}


def run(path: Path, folder: Path) -> NotebookNode:
    """A notebook, executed in a copy of its folder; what it writes stays below `folder`.

    Raises nbclient's CellExecutionError where a cell raises.
    """
    here = folder / path.parent.name
    shutil.copytree(path.parent, here, ignore=shutil.ignore_patterns(".*"))
    (folder / "data").symlink_to(ROOT / "data", target_is_directory=True)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_TIMEOUT_S,
        kernel_name="python3",
        coalesce_streams=True,  # how a stream comes in pieces depends on the minute
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of its own local ports
        resources={"metadata": {"path": here}},
    )
    client.execute()
    return notebook


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The notebook with nothing in it that another machine or another minute would change.

    Stays: sources, outputs, the order of execution. Ids are the cells' numbers, and the metadata
    holds the digest of the sources that the outputs belong to.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number:02}"
        cell.metadata = NotebookNode()
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = NotebookNode(
                    {
                        kind: {name: own[name] for name in _KEPT_METADATA[kind] if name in own}
                        for kind, own in output.metadata.items()
                        if kind in _KEPT_METADATA
                    }
                )
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        sources=sources_digest(notebook),
    )
    notebook.nbformat_minor = 5
    return notebook


def sources_digest(notebook: NotebookNode) -> str:
    """SHA-256 over the sources of the code cells, in order."""
    return hashlib.sha256(repr(code(notebook)).encode()).hexdigest()


def code(notebook: NotebookNode) -> list[str]:
    """The sources of the code cells, in order."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def of_this_machine(text: str) -> list[str]:
    """What a text says of the machine it was made on: paths, and the host's name."""
    host = re.escape(os.uname().nodename)
    # A path begins a word; what follows a letter or a slash is a part of an address or a ratio.
    return re.findall(
        rf"(?<![\w/.:])/(?:home|root|tmp|usr|var|work|Users)/[\w./-]*|\b{host}\b", text
    )


def main(paths: list[Path]) -> None:
    """Run the notebooks and write them with their outputs."""
    for path in paths:
        with TemporaryDirectory() as folder:
            notebook = tidy(run(path, Path(folder)))
        beside = path.with_suffix(".new")
        nbformat.write(notebook, beside)
        beside.replace(path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([Path(name).resolve() for name in sys.argv[1:]] or NOTEBOOKS)
