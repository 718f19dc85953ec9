# Everything sets itself up: a machine needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types schemas docs golden bench clean

help: ## Show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu, run: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV): once, and again when uv.lock changes."
	@test -x $(BIN)/uv || ($(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet --disable-pip-version-check uv)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync $(if $(CI),--quiet) --frozen --active --inexact --compile-bytecode
	@touch $@

demo: $(READY) ## Run the main job for a few seconds, on this machine alone
	@$(BIN)/python examples/demo/demo.py

test: $(READY) ## Run the tests
	@$(BIN)/pytest -n auto

check: lint types test schemas ## Everything that guards main and needs no more than Python

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

schemas: $(READY) ## Write the JSON Schemas that editors use
	@$(BIN)/scheduler schema --output schemas

requirements: $(READY) ## Write what `init` has a new repository install, from the lock file
	@$(BIN)/uv export --quiet --frozen --no-dev --no-emit-project --no-header --no-annotate \
	  --format requirements-txt --output-file scheduler/app/init/files/requirements.txt

docs: $(READY) ## Write the pages that code makes: docs/reference and docs/rules.md
	@$(BIN)/python docs/build/__main__.py

golden: $(READY) ## Write the expected outputs of tests and pages anew, for review
	@PYTHONPATH=tests/support $(BIN)/python tests/cli/test_golden.py --rewrite
	@PYTHONPATH=tests/support $(BIN)/python tests/reporting/test_sentences.py
	@PYTHONPATH=tests/support $(BIN)/python tests/reporting/test_calendar.py --rewrite
	@PYTHONPATH=tests/support $(BIN)/python tests/test_readme.py --rewrite

bench: $(READY) ## Measure, as ratios in one run
	@$(BIN)/python -m benchmarks $(if $(BESIDE),beside $(BESIDE))

clean: ## Remove what the targets above made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
