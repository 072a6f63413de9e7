# From a bare checkout: `make demo` shows the system, `make test` proves it, `make bench` measures it, `make soak` breaks it.

PYTHON ?= python3
VENV ?= .venv
INSTALLED := $(VENV)/.installed
TEST_PROCESSES ?= 2

.PHONY: help install demo up test lint docs bench soak lock clean

help:
	@echo "make demo    the whole tour: simulated instruments, harvests, catalog; ends with a summary"
	@echo "make up      the whole system with simulated instruments, until Ctrl-C"
	@echo "make test    the whole test suite"
	@echo "make lint    formatting, lint, types and layers alone"
	@echo "make docs    the documents as a site, in site/: broken links are errors"
	@echo "make bench   the benchmarks"
	@echo "make soak    kill, crash and break everything, and check that nothing is lost: half an hour"
	@echo "make lock    resolve requirements.lock again"

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "StreamWeave needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@echo "installing into $(VENV): this takes a minute or two"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	@$(VENV)/bin/streamweave demo

up: install
	@$(VENV)/bin/streamweave up --simlab

test: install
	$(VENV)/bin/python -m pytest -n $(TEST_PROCESSES)

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: install
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict --clean
	@echo "site/index.html; with a server: $(VENV)/bin/mkdocs serve"

bench: install
	$(VENV)/bin/python -m benchmarks

soak: install
	$(VENV)/bin/python -m soak --json soak.json --markdown soak.md

lock: install
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --extra simlab --extra dev --upgrade pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) site .streamweave .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
