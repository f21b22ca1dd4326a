# make demo   environment, then the whole pipeline on the embedded pack, and its score table
# make test   environment, then lint, types and the test suite

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test

demo: $(READY)
	dvc repro
	@cat runs/demo/zeroshot/table.txt

test: $(READY)
	ruff check .
	ruff format --check .
	mypy
	pytest

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)
