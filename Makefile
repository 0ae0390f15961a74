# `make demo` and `make test` are all that a newcomer needs. Every target makes .venv and installs what it needs by
# itself; stamp files inside .venv make the second call free. `make PYTHON=/path/to/python3.12 …` chooses the interpreter.

VENV    := .venv
BIN     := $(VENV)/bin
MADE    := $(VENV)/.made
TRAIN   := $(VENV)/.installed-train
DEV     := $(VENV)/.installed-dev
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTHON  ?=
# Two workers with one thread each: more threads than cores make small models slower, not faster.
WORKERS ?= 2
PYTEST  := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
COVER   := --cov --cov-report=term
# `make docs DOCS=dummy` finds every fault of the pages and writes none.
DOCS    ?= html
# What `make bench` measures and how; see `python -m benchmarks --help`. Empty: everything.
BENCH   ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all lint docs bench clean

help:
	@echo "make demo       train, evaluate, test the difference, report: examples/quickstart.yaml"
	@echo "make test       the fast suite, with branch coverage; no network"
	@echo "make test-all   the whole suite, the slow tests too"
	@echo "make lint       ruff, format, the ladder of imports, types"
	@echo "make docs       the guides and the API reference, in docs/_build/html"
	@echo "make bench      measure Crucible and its peers, side by side; make bench BENCH='pipeline --save' chooses"
	@echo "make clean      remove caches and builds (not .venv, not .crucible)"

demo: $(TRAIN)
	@$(BIN)/crucible run examples/quickstart.yaml

test: $(DEV)
	@$(PYTEST) -m "not slow" $(COVER)

test-all: $(DEV)
	@HYPOTHESIS_PROFILE=search $(PYTEST) $(COVER)

lint: $(DEV)
	@echo "ruff check"   && $(BIN)/ruff check --quiet
	@echo "ruff format"  && $(BIN)/ruff format --quiet --check
	@echo "lint-imports" && $(BIN)/lint-imports --no-logo
	@echo "basedpyright" && $(BIN)/basedpyright

docs: $(DEV)
	@$(BIN)/python -m sphinx --builder $(DOCS) --fail-on-warning --keep-going --quiet docs docs/_build/$(DOCS)
	@echo "docs/_build/$(DOCS)"

bench: $(DEV)
	@$(BIN)/python -m benchmarks $(BENCH)

clean:
	@rm -rf build dist htmlcov .coverage .coverage.* .pytest_cache .ruff_cache .import_linter_cache .hypothesis docs/_build
	@find src tests benchmarks docs -type d -name __pycache__ -prune -exec rm -rf {} +

# A Python without `ensurepip` (some distributions split it off) makes a bare environment, and its own pip fills it.
$(MADE):
	@found=; for python in $(if $(PYTHON),$(PYTHON),python3 python3.11 python3.12 python3.13 python3.14 python); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Crucible needs Python 3.11 or later: none found$(if $(PYTHON), at $(PYTHON)). Name one: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	echo "making $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) >/dev/null 2>&1 || { \
	  $$found -m venv --without-pip $(VENV) && \
	  $$found -m pip --python $(BIN)/python install --quiet --disable-pip-version-check pip; \
	}
	@touch $@

$(TRAIN): pyproject.toml constraints.txt | $(MADE)
	@echo "installing crucible-ml[train] into $(VENV); the first time this takes a few minutes"
	@$(PIP) --editable '.[train]'
	@touch $@

# `dev` contains `train`. NiceGUI carries the real mermaid.js, which the tests of diagrams render with; nothing else of
# it is used, so that none of what it needs is installed.
$(DEV): pyproject.toml constraints.txt | $(MADE)
	@echo "installing crucible-ml[dev] into $(VENV); the first time this takes a few minutes"
	@$(PIP) --editable '.[dev]'
	@$(PIP) --no-deps nicegui
	@touch $(TRAIN) $@
