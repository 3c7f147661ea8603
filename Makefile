# The commands of the README. Everything lives in one .venv; pins are in constraints.txt.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CAMPAIGN ?= save_the_children
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo app test test-slow test-browser screenshots lint bench train-env clean

$(VENV)/.base: $(SOURCES)
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or name yours with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the base packages into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "Installing the test and training packages ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[dev,training]'
	@touch $@

demo: $(VENV)/.base
	@$(BIN)/salesman demo --campaign $(CAMPAIGN)

app: $(VENV)/.base
	@$(BIN)/salesman app

# One worker a core (four at most: 2 GB each) with one thread; a worker that has nothing left to do takes tests over from another.
test: $(VENV)/.dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist worksteal

test-slow: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -m slow --timeout 1800

test-browser: $(VENV)/.dev
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { echo "A Chromium is needed: e.g. apt install chromium"; exit 2; }
	@$(BIN)/python -m pytest -q -m browser --timeout 600

screenshots: $(VENV)/.dev
	@$(BIN)/python -m tests.ui.screenshots

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev
	@$(BIN)/python -m bench

train-env: $(VENV)/.base
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[training]'

clean:
	rm -rf $(VENV) build *.egg-info
