# Two commands matter: `make repro` and `make test`. Both set up .venv first when it is missing or out of date.
PYTHON ?= python3
SCALE ?=
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

report = scale=$$(sed -n 's/^scale: *//p' params.yaml); page=reports/$$scale/report.html; \
	test -f $$page && echo ">> The report: $$page" || echo ">> No report yet: \`make repro\` makes $$page"

.PHONY: help repro test check docs format lock wheel-test test-peers site reliability
.DEFAULT_GOAL := help

help:
	@echo "make repro              set up, then run the whole pipeline at the scale in params.yaml (demo)"
	@echo "make repro SCALE=paper  the same at the paper's scale (sets scale in params.yaml)"
	@echo "make test               set up, then run the tests"
	@echo "make check              formatter, linter, type checker"
	@echo "make docs               write README.md, the findings and docs/ from docs/templates and the records"
	@echo "make lock               recompute requirements.lock from pyproject.toml"
	@echo "make reliability        kills, malformed inputs and damaged files by the hundred; writes data/benchmarks/reliability.csv"
	@echo "make test-peers         the tests with transformers, peft, torchao and lightning, in .peers"
	@echo "make site               the library's documentation, build/site/index.html; warnings are errors"
	@echo "make wheel-test         build the library's wheel and try it in an environment of its own (TORCH=2.6.0 picks one)"

.venv/.ready: requirements.lock pyproject.toml
	@echo ">> Setting up .venv from requirements.lock (a few minutes, about 5 GB)"
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

repro: .venv/.ready
	@if [ -n "$(SCALE)" ]; then $(BIN)/python -m replication set-scale $(SCALE); fi
	@$(BIN)/python -m replication check
	@echo ">> dvc repro"
	@$(BIN)/dvc repro
	@$(report)

test: .venv/.ready
	@echo ">> pytest"
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@$(report)

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/.ready
	@$(BIN)/python -m replication docs

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra replication --extra dev pyproject.toml -o requirements.lock
	printf 'transformers\npeft\ntorchao\nlightning\naccelerate\n' | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements.lock - -o requirements-peers.lock

wheel-test:
	@$(PYTHON) tests/wheel/build_and_try.py $(if $(TORCH),--torch $(TORCH))

# Beside the packages of .venv, which its interpreter finds too; what these have in common is installed once.
.peers/.ready: requirements-peers.lock .venv/.ready
	@test -x .peers/bin/python || $(BIN)/python -m venv .peers
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' > $$(.peers/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/venv.pth
	@.peers/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-peers.lock
	@touch $@

test-peers: .peers/.ready
	@.peers/bin/python -m pytest tests/peers

reliability: .venv/.ready
	@OMP_NUM_THREADS=1 $(BIN)/python tests/reliability/long.py --write

site:
	@test -x .site/bin/python || $(PYTHON) -m venv .site
	@.site/bin/python -m pip install --quiet '.[profile,plot,docs]'
	@.site/bin/python -m sphinx -W --keep-going -q -b html docs build/site
	@echo ">> build/site/index.html"
