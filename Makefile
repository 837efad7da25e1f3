# From NNLM to BERT. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book pdf test lint unit notebook-test notebooks lab wheels gettext chinese lock clean

VENV ?= .venv
LOCK := requirements.lock
TORCH := 2.13.0
GROUPS := book pdf test lab author

# The lock holds for these versions of Python; the first command found that is one of them is taken.
OLDEST := 3.10
NEWEST := 3.13
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$p" && break; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -qq --constraint $(LOCK)
# The package is read from src/, so that rendering the book needs none of its dependencies.
export PYTHONPATH := src$(if $(PYTHONPATH),:$(PYTHONPATH))
export PYTHONDONTWRITEBYTECODE := 1

## The two commands

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(VENV)/.ready-book ## build the book from the committed outputs; say where to open it
	@$(BIN)/jupyter-book build . --all --quiet -W -n --keep-going
	@echo "The book is built. Open file://$(abspath _build/html/index.html)"

pdf: $(VENV)/.ready-pdf ## print the whole book as one PDF, with an installed Chromium or Chrome
	@$(BIN)/python tools/print_book.py

chinese: $(VENV)/.ready-book ## build the book with its Chinese edition, each page linked to the other
	@$(BIN)/python tools/translations.py build
	@echo "The book is built. Open file://$(abspath _build/html/index.html)"

test: $(VENV)/.ready-test ## run everything that is checked before a change is accepted
	@$(MAKE) --no-print-directory lint unit notebook-test

## What `make test` does, one by one

lint: $(VENV)/.ready-test ## check style and form of code and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: $(VENV)/.ready-test ## run the tests, those of the built book in a browser among them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

# The same circumstances under which tools/run_notebooks.py made the committed outputs.
notebook-test: export OMP_NUM_THREADS := 2
notebook-test: export MKL_NUM_THREADS := 2
notebook-test: export PYTHONHASHSEED := 0
notebook-test: export TQDM_DISABLE := 1
notebook-test: export NNLM2BERT_PROGRESS := off
notebook-test: export CUDA_VISIBLE_DEVICES :=
notebook-test: export TZ := UTC
notebook-test: $(VENV)/.ready-test ## execute every chapter and compare with its committed outputs
	$(BIN)/python tools/sync.py --check
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --nbval --nbval-current-env \
		--nbval-cell-timeout=300 --nbval-sanitize-with=tests/nbval-sanitize.cfg notebooks

## For readers who want to go on, and for authors

notebooks: $(VENV)/.ready-test ## execute every chapter in place
	$(BIN)/python tools/run_notebooks.py

lab: $(VENV)/.ready-lab ## open the chapters in JupyterLab
	$(BIN)/jupyter lab notebooks

# For a class without network: there, PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels make lab.
WHEELS ?= wheels
wheels: $(VENV)/.ready-pip ## fetch all packages into the folder WHEELS, for machines without network
	@$(PIP) download --quiet --dest $(WHEELS) --constraint $(LOCK) \
		--group book --group test --group lab .
	@echo "Everything that make lab installs lies in $(abspath $(WHEELS))"

gettext: $(VENV)/.ready-book ## bring the catalogues of the translation up to date with the pages
	@$(BIN)/python tools/translations.py update

# One lock for all Pythons and systems. CUDA is left out: which build of torch is wanted is up to
# the machine, and each build asks for its own exact versions of CUDA.
lock: $(VENV)/.ready-author ## renew requirements.lock from pyproject.toml
	@{ echo "# Exact versions of everything, for Python $(OLDEST) to $(NEWEST). Made by: make lock"; \
	$(BIN)/uv pip compile pyproject.toml $(GROUPS:%=--group %) --universal --quiet --upgrade \
		--python-version $(OLDEST) --no-header --no-annotate \
		--constraints <(echo torch==$(TORCH)) | grep -vE '^(nvidia|cuda|triton)'; } > $(LOCK).new
	@mv $(LOCK).new $(LOCK)

clean: ## remove what was built, and the virtual environment
	rm -rf _build $(VENV)

## Set-up: a stamp file for each step

$(VENV)/.ready-venv:
	@test -n "$(PYTHON)" || { echo "No Python $(OLDEST) to $(NEWEST) was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; \
		sys.exit(None if (3, 10) <= v <= (3, 13) else "$(PYTHON) is Python %d.%d; " % v \
		+ "this book needs $(OLDEST) to $(NEWEST). Name another: make PYTHON=/path/to/python3.12")'
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the modules venv" \
		"and ensurepip. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

# Dependency groups need pip 25.1, which older Pythons do not bring along.
$(VENV)/.ready-pip: $(VENV)/.ready-venv $(LOCK)
	@$(INSTALL) pip
	@touch $@

$(VENV)/.ready-book: $(VENV)/.ready-pip pyproject.toml $(LOCK)
	@echo "Installing what renders the book (no torch; about a minute)"
	@$(INSTALL) --group book
	@touch $@

$(VENV)/.ready-pdf: $(VENV)/.ready-book pyproject.toml $(LOCK)
	@$(INSTALL) --group pdf
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready-book pyproject.toml $(LOCK)
	@echo "Installing the rest, torch among it (several minutes)"
	@$(INSTALL) --group test
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.ready-lab: $(VENV)/.ready-test
	@echo "Installing JupyterLab"
	@$(INSTALL) --group lab
	@touch $@

$(VENV)/.ready-author: $(VENV)/.ready-test
	@$(INSTALL) --group author
	@touch $@
