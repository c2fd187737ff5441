# `make demo` and `make test` do all of their own set-up: they need Python >= 3.11 with venv, and make.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DATA ?= ../shared/data/clothing
# A process per core with one thread each: two small tests at once are faster than one on two cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

.PHONY: help demo test test-all check format bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found: install one, or call make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[timm,dev]'
	$(BIN)/python -c 'import torchvision'
	@touch $@

demo: $(VENV)/installed  ## LeNet-5 learns handwritten digits, from pictures to predictions
	$(BIN)/hubel demo

test: $(VENV)/installed  ## the test suite without the slow proofs
	$(PYTEST) -m "not slow"

test-all: $(VENV)/installed  ## the test suite with the slow proofs
	$(PYTEST)

check: $(VENV)/installed  ## lint, format, types and the layers of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed  ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed  ## the benchmarks, each printing both sides (DATA=folder of class folders)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/input_pipeline.py --data $(DATA)
	$(BIN)/python benchmarks/training_step.py --data $(DATA)

clean:  ## remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis demo dist
