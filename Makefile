# Everything here works in a fresh clone; each target first makes .venv with what it needs.
# Needs python3 (3.10 or newer, with venv), g++ and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Tests use one process per core; a BLAS that starts threads of its own only gets in their way.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test test-full test-mutations lint bench clean

demo: $(STAMP)
	$(BIN)/hlsgen build examples/digits_qdq.onnx --board pynq-z2 --samples examples/digits_samples.npz
	$(BIN)/hlsgen run build/digits_qdq --engine csim --input examples/digits_samples.npz --output build/digits.npz
	$(BIN)/python examples/accuracy.py build/digits.npz examples/digits_samples.npz

test: $(STAMP)
	$(BIN)/pytest -n 2 -q -m "not slow and not mutation"

test-full: $(STAMP)
	$(BIN)/pytest -n 2 -q -m "not mutation"

test-mutations: $(STAMP)
	$(BIN)/pytest -n 2 -q -m mutation

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python tests/bench.py

clean:
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
