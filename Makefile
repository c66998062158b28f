# Every target does its own set-up: a fresh clone, Python 3.11 or later and make are all it takes.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Two test workers at one thread each; two torch pools on two cores would only wait for each other.
TEST_WORKERS ?= 2
# Threads that wait in busy loops slow a small model down by far where other programs run as well.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help quickstart reproduce test lint perf clean

help:
	@echo "make quickstart  train, search, score and enter a tiny model on the board: about 15 minutes"
	@echo "make reproduce   the published numbers: at most an hour on 2 cores"
	@echo "make test        ruff, mypy and pytest: what CI runs"
	@echo "make lint        ruff and mypy only"
	@echo "make perf        speed of environments and search: no test, nothing is asserted"
	@echo "make clean       delete the virtual environment and caches (never runs/)"

# Installed once, and again whenever what is to be installed changes.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is \
	needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 ...")'
	@echo "Installing reason-env and its tools into $(VENV): a few minutes, once ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --progress-bar off \
		-c constraints.txt -e '.[dev]'
	@# OpenRLHF needs GPUs to run, and its losses only to be compared with ours (tests): from its
	@# wheel, in a folder of its own, without what it depends on.
	@$(PY) -m pip install --quiet --disable-pip-version-check --progress-bar off \
		--no-deps --upgrade --target $(VENV)/openrlhf openrlhf==0.11.2
	@touch $@

quickstart: $(STAMP)
	@$(PY) -m benchmarks.quickstart

reproduce: $(STAMP)
	@$(PY) -m benchmarks.quickstart --full

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

test: lint
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(TEST_WORKERS)

perf: $(STAMP)
	OMP_NUM_THREADS=1 $(PY) -m pytest benchmarks/perf -o python_files='perf_*.py' -q \
		--benchmark-columns=median,min,max,rounds --benchmark-sort=name \
		--benchmark-max-time=0.5 --benchmark-disable-gc

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
