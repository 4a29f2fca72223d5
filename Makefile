# What a person types: make demo, make test. Everything goes into .venv; nothing else is touched.
#
# TORCH_INDEX  an index to take torch from, such as the CPU index that pytorch.org names,
#              so that a machine without a GPU need not download CUDA
# PYTHON       the Python to make .venv with (3.11 or newer)
# WORKERS      how many files of tests run at once, of which each may take 3 GB of memory

PYTHON ?= python3
TORCH_INDEX ?=
WORKERS ?= 2
BIN := .venv/bin
DEMO ?= demo

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INPUTS := pyproject.toml constraints.txt $(wildcard plugins/aictl-*/pyproject.toml)

# Of a file all tests run in one process, since they share what is costly to make; and in the order of their names, for
# otherwise files with few tests come last, which are the slowest.
AT_ONCE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-fast test-integration lint docs bench clean

help:
	@sed -n 's/^## //p' Makefile

## make demo       the whole chain on real input, from raw text to a running app
demo: .venv/demo.stamp
	@$(BIN)/python docs/run_page.py docs/tutorial.md --folder $(DEMO) --path $(CURDIR)/$(BIN)

## make test       every test (make test-fast leaves out the slow ones)
test: .venv/test.stamp
	$(BIN)/python -m pytest $(AT_ONCE) --cov=aictl --cov-report=term:skip-covered

test-fast: .venv/test.stamp
	$(BIN)/python -m pytest $(AT_ONCE) -m "not slow"

## make test-integration  the tests against real servers (Ceph, HDFS, Ray, docker); what is absent is skipped and told
test-integration: .venv/test.stamp
	-@$(MAKE) --no-print-directory .venv/hadoop
	$(BIN)/python -m pytest -m integration

## make lint       style, types, and the direction of imports
lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=plugins/aictl-tensorrt/src $(BIN)/mypy -p aictl_tensorrt
	MYPYPATH=plugins/aictl-tensorflow/src $(BIN)/mypy -p aictl_tensorflow
	MYPYPATH=plugins/aictl-openvino/src $(BIN)/mypy -p aictl_openvino
	$(BIN)/lint-imports

## make docs       the command reference, generated from the commands
docs: .venv/test.stamp
	$(BIN)/python docs/reference.py

## make bench      speed beside its peers, written to docs/benchmarks.md
bench: .venv/test.stamp
	-@$(MAKE) --no-print-directory .venv/peers.stamp .venv/data-peers.stamp
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv $(DEMO) build dist

.venv/python.stamp:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/torch.stamp: .venv/python.stamp
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@touch $@

.venv/hadoop: .venv/test.stamp
	$(BIN)/python -m tests.stores.hdfs

.venv/demo.stamp: .venv/torch.stamp $(INPUTS)
	$(PIP) -e '.[all]' -e plugins/aictl-tensorrt -e plugins/aictl-tensorflow
	@touch $@

.venv/test.stamp: .venv/demo.stamp
	$(PIP) -e '.[test,lint]' -e 'plugins/aictl-tensorrt[rtx]' -e plugins/aictl-openvino hatchling editables tomlkit
	@touch $@

# Where the peers cannot be had, the benchmark's table quotes pip's reason from this log.
.venv/peers.stamp: tests/bench/peers.txt .venv/python.stamp
	$(BIN)/python -m venv --clear .venv/peers
	.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $< --log .venv/peers/pip.log
	@touch $@

.venv/data-peers.stamp: tests/bench/data_peers.txt .venv/python.stamp
	$(BIN)/python -m venv --clear .venv/data-peers
	.venv/data-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
