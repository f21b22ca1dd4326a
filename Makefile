# make demo   environment, then the whole pipeline on the embedded pack, its score table and its page
# make test   environment, then lint, types and the test suite

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEV := .venv/.ready-dev
# Wheels alone, so no compiler; of DVC's antlr4, which is plain Python, there is no wheel
WHEELS := --only-binary :all: --no-binary antlr4-python3-runtime
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(WHEELS)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test

demo: $(READY)
	dvc repro
	@cat runs/demo/zeroshot/table.txt
	@echo 'The page over this run: runs/demo/report/index.html'

# Two files at a time, for at full size one takes 8 GB; the longest first (tests/conftest.py)
test: $(DEV)
	ruff check .
	ruff format --check .
	mypy
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder

# Compiled by all cores afterwards, where pip would use one
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --no-compile -e .
	$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
	touch $@

$(DEV): $(READY)
	$(INSTALL) -e ".[dev]"
	touch $@
