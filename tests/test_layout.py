"""The house's rules: who imports whom, what a start-up loads, and the README's tree."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "sklearn",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "transformers",
    "trafilatura",
    "rich",
    "joblib",
    "ftfy",
    "py3langid",
    "training",
)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted((ROOT / "inference").glob("*.py")), ids=lambda p: p.name)
def test_inference_never_imports_training(path):
    assert not [name for name in imported(path) if name.split(".")[0] == "training"]


@pytest.mark.parametrize("path", sorted((ROOT / "inference").glob("*.py")), ids=lambda p: p.name)
def test_inference_never_unpickles(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"pickle", "joblib", "dill"}


def loaded(code):
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "code",
    [
        "import inference",
        "from inference import load; load().score('La frégate est livrée.')",
        "import sys; sys.argv = ['posture', 'score', 'data/articles/detroit.txt']\n"
        "from inference.cli import main\ntry: main()\nexcept SystemExit: pass",
    ],
    ids=["import", "score", "command"],
)
def test_scoring_loads_nothing_heavy(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    modules = loaded(code)
    assert "numpy" in modules
    assert sorted(modules & set(HEAVY)) == []


def test_the_tree_in_the_readme_is_the_tree():
    """Every tracked file of the two packages, of data and of tests has its line, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"## The tree\n.*?```\n(.*?)```", text, re.DOTALL)
    assert tree
    folder, named = "", set()
    for line in tree[1].splitlines():
        if not line.strip():
            continue
        name = line.split()[0]
        if line.startswith(" "):
            named.add(folder + name)
        elif name.endswith("/"):
            folder = name
            named.add(name)
        else:
            folder = ""
            named.add(name)
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    parts = [Path(name).parts for name in tracked if (ROOT / name).exists()]
    expected = {p[0] + "/" if len(p) > 1 else p[0] for p in parts}
    expected |= {f"{p[0]}/{p[1]}" + ("/" if len(p) > 2 else "") for p in parts if len(p) > 1}
    expected = {name for name in expected if not name.startswith(".") or name == ".ci/"}
    assert named - expected == set()
    assert expected - named - {".ci/run"} == set()
