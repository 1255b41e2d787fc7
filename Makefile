# Every target sets up what it needs: `make audit` and `make test` work on a fresh clone with Python and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: help install audit test test-all check format bench bench-deps clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"custodiet needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	@touch $@

install: $(STAMP) ## create .venv with the package and its development tools

audit: install ## train two small models on the embedded text, audit both, print where the report is
	$(BIN)/custodiet audit

test: install ## run the tests (slow ones excluded; the random inputs are the same every time)
	$(BIN)/python -m pytest -n $(WORKERS) -q --hypothesis-profile ci

test-all: install ## run every test, with new random inputs each time
	$(BIN)/python -m pytest -n $(WORKERS) -q -m ""

check: install ## linters, types, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/typos

format: install ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-deps: install ## install the peers that `make bench` compares with
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"

bench: install ## run every benchmark, write benchmarks/results/
	$(BIN)/python -m benchmarks all

clean: ## remove the environment and caches; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
