# Everything works on a machine with python3, make and pip's registry, and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SRC    ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench lint types imports docs wheel-test torture pictures format clean help

help:            ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

demo: $(VENV)/.demo   ## analyse a real source tree through memory, disk and Valkey; SRC=path for another tree
	@$(BIN)/tiered-cache demo --keep build/demo $(SRC)

test: $(VENV)/.test   ## every test, real servers included
	$(BIN)/python -m pytest

check: lint types imports docs wheel-test   ## what the tests can't see

lint: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.check
	$(BIN)/mypy
	$(BIN)/pyright

imports: $(VENV)/.check
	$(BIN)/lint-imports

docs: $(VENV)/.check
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html docs docs/_build/html

wheel-test: $(VENV)/.check
	$(BIN)/python tests/packaging/wheel.py

bench: $(VENV)/.bench   ## ratios against peers, measured in one run
	$(BIN)/python -m tests.bench

torture: $(VENV)/.test   ## the long proofs: every kill, every trace, every thread
	$(BIN)/python -m pytest -m exhaustive -q

pictures: $(VENV)/.test   ## draw the dashboard anew for the documentation; needs Chromium
	$(BIN)/python -m tests.dashboard.pictures

format: $(VENV)/.check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[dashboard,demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[all]' --group test
	@touch $@

$(VENV)/.check: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[all]' --group test --group docs --group check
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[all,bench]' --group test
	@touch $@
