# Everything here works in a fresh clone; each target first makes .venv with what it needs.
# Needs python3 (3.10 or newer, with venv), g++ and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BOARDS := .venv-board

# Tests use one process per core; a BLAS that starts threads of its own only gets in their way.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test test-full test-mutations lint bench board-env clean

demo: $(STAMP)
	$(BIN)/hlsgen build examples/digits_qdq.onnx --board pynq-z2 --samples examples/digits_samples.npz
	$(BIN)/hlsgen run build/digits_qdq --engine csim --input examples/digits_samples.npz --output build/digits.npz
	$(BIN)/python examples/accuracy.py build/digits.npz examples/digits_samples.npz

test: $(STAMP) board-env
	$(BIN)/pytest -n 2 -q -m "not slow and not mutation"

test-full: $(STAMP) board-env
	$(BIN)/pytest -n 2 -q -m "not mutation"

test-mutations: $(STAMP) board-env
	$(BIN)/pytest -n 2 -q -m mutation

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python tests/bench.py

# Environments like those of boards, with real pynq, for the emulated board and its tests.
board-env: $(patsubst board-env/%.txt,$(BOARDS)/%/.installed,$(wildcard board-env/*.txt))

$(BOARDS)/%/.installed: board-env/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

clean:
	rm -rf $(VENV) $(BOARDS) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	# tclint names exact versions of what it needs, older than mypy can take; what it really needs is among ours
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps tclint==0.9.0
	touch $@
