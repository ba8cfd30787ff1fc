# Two commands need nothing but Python 3.11 or newer and make: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
NAPARI := .venv-napari
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: help setup demo test fuzz slow mutants notebooks packages lowest container pages napari check format docs bench environment clean

help: ## Show the commands
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	$(BIN)/python tools/check_environment.py $(TORCH)
	touch $(STAMP)

# Something installed by hand later may have replaced torch as well.
environment: setup
	@$(BIN)/python tools/check_environment.py $(TORCH)

demo: environment ## Simulate, train, predict, evaluate, draw: results in demo/
	$(BIN)/denoisplit demo --out demo

# One process per core, every network on one thread: small networks gain nothing from more. What Python compiled
# is kept, whatever the environment says: some tests start processes of their own.
test: environment ## Run the tests
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

fuzz: environment ## Read 100,000 damaged files with every reader and loader: hours
	$(BIN)/python -m tests.fuzz $(if $(COUNT),--count $(COUNT))

slow: environment ## Run the tests that take minutes
	$(BIN)/pytest -m slow

# N is how many mutants of all, SEED chooses them; ONLY names components or kinds. For example: make mutants N=200 SEED=1
mutants: environment ## Try small mistakes in the built-in components against the shipped suites alone
	$(BIN)/python -m tools.mutants $(if $(N),-n $(N)) $(if $(SEED),--seed $(SEED)) $(ONLY)

# A window needs a display: where there is none, a virtual one is made (Debian: xvfb, libxcb-cursor0, libxcb-icccm4,
# libxcb-keysyms1, libgl1-mesa-dri).
napari: $(NAPARI)/.installed ## Test the plugin for napari with napari itself, in .venv-napari
	$(if $(DISPLAY),,xvfb-run -a -s "-screen 0 1280x1024x24" )$(NAPARI)/bin/pytest -c packages/napari-denoisplit/pyproject.toml packages/napari-denoisplit/tests
	$(NAPARI)/bin/npe2 validate napari-denoisplit
	cd packages/napari-denoisplit && $(CURDIR)/$(NAPARI)/bin/mypy

$(NAPARI)/.installed: pyproject.toml constraints.txt packages/napari-denoisplit/pyproject.toml
	test -x $(NAPARI)/bin/python || $(PYTHON) -m venv $(NAPARI)
	$(NAPARI)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(NAPARI)/bin/python -m pip install --quiet --constraint constraints.txt --editable . --editable packages/napari-denoisplit \
		--group packages/napari-denoisplit/pyproject.toml:dev
	touch $@

packages: environment ## Build packages, install them into a fresh environment, use and remove them
	$(BIN)/pytest -m slow tests/packaging

# What they have beside the lowest versions are the tests' own libraries.
lowest: environment ## Run a part of the tests with the lowest versions of all libraries but torch: three minutes
	$(PYTHON) -m venv --clear build/lowest
	$(BIN)/python -m tools.lowest > build/lowest/pins.txt
	build/lowest/bin/python -m pip install --quiet --only-binary :all: --constraint constraints.txt torch \
		--requirement build/lowest/pins.txt pytest-timeout mrcfile ome-types jsonschema scikit-image cattrs
	build/lowest/bin/python -m pip install --quiet --no-deps .
	OMP_NUM_THREADS=1 build/lowest/bin/python -m pytest --override-ini filterwarnings=default --disable-warnings \
		tests/spec tests/registry tests/images tests/plugins/test_image_formats.py tests/plugins/test_microscope_formats.py \
		tests/plugins/test_dask.py tests/prediction/test_tiling.py tests/e2e/test_commands.py \
		tests/e2e/test_file_prediction.py tests/e2e/test_evaluation.py tests/storage/test_outputs.py tests/test_api.py

container: environment ## Lint the container file
	$(BIN)/python -m pip install --quiet --group container
	$(BIN)/hadolint Dockerfile

check: environment ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.unused

format: setup ## Format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pages: environment ## Walk the pages of the documentation: run their commands and code
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow tests/docs

notebooks: environment ## Run the notebooks
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow tests/notebooks

# Warnings are errors. Both steps need no network.
docs: setup ## Build the documentation: site/index.html
	$(BIN)/python -m tools.components_page docs/components.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# QUICK=1 only tries it; RIVAL names an environment made by benchmarks.rival_environment.
bench: environment ## Measure speed and memory, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks all $(if $(QUICK),--quick) $(if $(RIVAL),--rival $(RIVAL))
	$(if $(QUICK),,$(BIN)/python -m benchmarks.page)

clean: ## Remove what was made here
	rm -rf $(VENV) $(NAPARI) demo dist build site
