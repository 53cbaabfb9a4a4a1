# make run    the demo, from nothing to figures
# make test   the tests of the README
# make check  format, lint, types, workflow lint
# Each sets up what it needs on a bare machine and does nothing twice.

PYTHON ?= python3
VENV ?= .venv
CORES ?= all
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
SOURCES := src tests scripts benchmarks

.PHONY: run test test-slow check format config docs report clean help

help:
	@sed -n 's/^# //p' Makefile | head -4

$(RUNTIME): requirements/runtime.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

run: $(RUNTIME)
	$(BIN)/snakemake --cores $(CORES)
	@cat results/demo/claims.md

test: $(DEV)
	$(BIN)/python -m pytest -q

test-slow: $(DEV)
	$(BIN)/python -m pytest -q -m "slow or faults"

check: $(DEV)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy src
	$(BIN)/python -m occamscope.config_files --check

format: $(DEV)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/snakefmt Snakefile workflow

config: $(RUNTIME)
	$(BIN)/python -m occamscope.config_files

docs: $(DEV)
	$(BIN)/mkdocs build --strict

report: $(RUNTIME)
	$(BIN)/snakemake --report results/demo/report.zip

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache site
