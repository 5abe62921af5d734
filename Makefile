# Each target installs what it needs; .venv is made once and again when the pins change.
PYTHON := $(shell command -v python3.11 || command -v python3)
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check fix bench corpus-figures lexicon-figures model notebooks

demo: .venv/installed  ## score an article with the embedded model
	.venv/bin/posture score --format table data/articles/detroit.txt

test: .venv/installed-test  ## run all tests
	.venv/bin/python -m pytest

check: .venv/installed-test  ## types, lint, format
	.venv/bin/python -m mypy
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .

fix: .venv/installed-test  ## what ruff can mend by itself
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

bench: .venv/installed-bench  ## speed, start-up and memory, beside scikit-learn and fastText
	.venv/bin/python -m tests.benchmarks

corpus-figures: .venv/installed-bench  ## learning curve, ablation, rounds and label noise (half an hour)
	.venv/bin/python -m tests.benchmarks.corpus $(REAL)

lexicon-figures: .venv/installed-bench  ## each class of the lexicon, and terms unseen, left out (half an hour)
	.venv/bin/python -m tests.benchmarks.lexicon $(REAL)

notebooks: .venv/installed-test  ## run the notebooks and write their outputs in place (three minutes)
	.venv/bin/python -m tests.notebook_run

model: .venv/installed  ## refit the embedded model from data/corpus
	.venv/bin/python -m training.default_model data/corpus

.venv/installed: pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

# torch alone and first: its processor-only build is found under this exact version.
.venv/installed-test: .venv/installed
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[test]'
	touch $@

.venv/installed-bench: .venv/installed-test
	$(PIP) --editable '.[test,bench]'
	touch $@
