# Two commands need nothing but Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: help setup demo test slow check format bench clean

help: ## Show the commands
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	$(BIN)/python tools/check_environment.py $(TORCH)
	touch $(STAMP)

demo: setup ## Simulate, train, predict, evaluate, draw: results in demo/
	$(BIN)/denoisplit demo --out demo

test: setup ## Run the tests
	$(BIN)/pytest

slow: setup ## Run the tests that take minutes
	$(BIN)/pytest -m slow

check: setup ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what was made here
	rm -rf $(VENV) demo dist build
