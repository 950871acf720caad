# Needs python3, make and pip's registry, and nothing else.
# Two environments: .venv is yours, with the checkout installed as editable (make dev);
# build/venv has the built wheel, and all tools, for make test and make check.
PYTHON ?= python3
VENV   ?= .venv
TESTED ?= build/venv
JOBS   ?= 2
SRC    ?=
BIN    := $(VENV)/bin
TOOLS  := $(TESTED)/bin
PACKAGED := pyproject.toml README.md LICENSE $(shell find tiered_cache policies/tiered_cache_policies -type f -not -name '*.pyc')
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help dev demo test check lint types imports structure docs workflows matrix coverage torture bench pictures format clean

help:            ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

dev: $(VENV)/.dev   ## your environment in .venv: the checkout, editable, with all tools; then plain pytest works

demo: $(VENV)/.demo   ## analyse a real source tree through memory, disk and Valkey; SRC=path for another tree
	@$(BIN)/tiered-cache demo --keep build/demo $(SRC)

test: $(TESTED)/.wheel   ## every test once, real servers included, on the built wheel; JOBS=1 for one process
	TESTED_PACKAGE=wheel $(TOOLS)/pytest -n $(JOBS) --dist loadgroup

check: lint types imports structure docs workflows   ## what the tests can't see; make -j2 check is faster

# These read the checkout, whichever package is installed.
lint types imports structure docs coverage: export PYTHONPATH := $(CURDIR):$(CURDIR)/policies

lint: $(TESTED)/.wheel
	$(TOOLS)/ruff check .
	$(TOOLS)/ruff format --check .
	$(TOOLS)/codespell

types: $(TESTED)/.wheel
	$(TOOLS)/mypy
	$(TOOLS)/pyright --pythonpath $(TOOLS)/python
	PATH="$(CURDIR)/$(TOOLS):$$PATH" $(TOOLS)/pyright --verifytypes tiered_cache --ignoreexternal

imports: $(TESTED)/.wheel
	$(TOOLS)/lint-imports

structure: $(TESTED)/.wheel   ## figures of the source: files that a lookup passes, sizes, cycles, names, words
	$(TOOLS)/python -m tests.structure

docs: $(TESTED)/.wheel
	$(TOOLS)/python -m sphinx -q -W --keep-going -n -b html docs docs/_build/html

workflows: $(TESTED)/.wheel
	$(TOOLS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

matrix: $(TESTED)/.wheel   ## the fast tests on each CPython from 3.11 that is here, and with the lowest versions
	$(TOOLS)/nox $(if $(SESSION),--error-on-missing-interpreters -s $(SESSION))

coverage: $(TESTED)/.wheel   ## branch coverage, subprocesses included, compared with tests/coverage.toml
	$(TOOLS)/python -m tests.coverage_figure $(JOBS)

torture: $(VENV)/.dev   ## the long proofs: every kill, every trace, every thread
	$(BIN)/python -m pytest -m exhaustive -q

bench: $(VENV)/.bench   ## ratios against peers, measured in one run
	$(BIN)/python -m tests.bench

pictures: $(VENV)/.dev   ## draw the pictures of the dashboard for the documentation; needs Chromium
	$(BIN)/python -m tests.dashboard.pictures

format: $(VENV)/.dev   ## format the code, and fix lint that has a safe fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist docs/_build .coverage* .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python $(TESTED)/bin/python: %/bin/python:
	$(PYTHON) -m venv $*
	$@ -m pip install -q --upgrade 'pip>=25.1'

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[dashboard,demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[all]' --group test --group docs --group check
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[all,bench]' --group test
	@touch $@

$(TESTED)/.tools: pyproject.toml | $(TESTED)/bin/python
	$(TOOLS)/pip install -q --group test --group docs --group check
	@touch $@

# By way of the source distribution, as it is published.
build/dist/.built: $(PACKAGED) | $(TESTED)/.tools
	rm -rf build/dist
	$(TOOLS)/python -m build --outdir build/dist . >build/wheel.log 2>&1 || { cat build/wheel.log; false; }
	$(TOOLS)/python tests/packaging/wheel.py build/dist
	@touch $@

$(TESTED)/.wheel: build/dist/.built $(TESTED)/.tools
	$(TOOLS)/pip install -q --force-reinstall --no-deps build/dist/*.whl
	$(TOOLS)/pip install -q "$$(echo build/dist/*.whl)[all]"
	@touch $@
