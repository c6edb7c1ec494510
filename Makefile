# Two commands matter: `make repro` and `make test`. Both set up .venv first when it is missing or out of date.
PYTHON ?= python3
SCALE ?=
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What the library is tested beside: networks and trainers of others, then other estimators of information and calibration.
# And what a sweep can use: a cluster, and who shows its curves.
PEERS := transformers peft torchao lightning accelerate dit infomeasure netcal pyinform torchmetrics ray dvclive tensorboard

report = scale=$$(sed -n 's/^scale: *//p' params.yaml); page=reports/$$scale/report.html; \
	test -f $$page && echo ">> The report: $$page" || echo ">> No report yet: \`make repro\` makes $$page"

.PHONY: help usable repro test check docs format lock wheel-test test-peers site pages reliability
.DEFAULT_GOAL := help

help:
	@echo "make repro              set up, then run the whole pipeline at the scale in params.yaml (demo)"
	@echo "make repro SCALE=paper  the same at the paper's scale (sets scale in params.yaml)"
	@echo "make test               set up, then run the tests"
	@echo "make check              formatter, linter, type checker"
	@echo "make docs               write README.md, the findings and docs/ from docs/templates and the records"
	@echo "make lock               recompute requirements.lock from pyproject.toml"
	@echo "make reliability        kills, malformed inputs and damaged files by the hundred; writes data/benchmarks/reliability.csv"
	@echo "make test-peers         the tests beside other packages (transformers, peft, dit, netcal, ray, …), in .peers"
	@echo "make site               the library's documentation, build/site/index.html; warnings are errors"
	@echo "make pages              the committed report, run explorer and documentation as one static site, build/pages/index.html"
	@echo "make wheel-test         build the library's wheel and try it in an environment of its own (TORCH=2.6.0 picks one)"

.venv/.ready: requirements.lock pyproject.toml
	@echo ">> Setting up .venv from requirements.lock (a few minutes, about 5 GB)"
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import pip' 2> /dev/null || $(BIN)/python -m ensurepip > /dev/null || \
		{ echo ">> .venv has no pip. Install pip for it (Debian, Ubuntu: apt install python3-venv), then start again"; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

# DVC and the tests want git. The scripts in .venv name its folder: where that was renamed or copied, they do not start.
usable:
	@git rev-parse --is-inside-work-tree > /dev/null || { echo ">> DVC needs a git checkout: use \`git clone\`," \
		"or make one of this folder: git init && git add -A && git commit -m 'As downloaded'"; exit 1; }
	@test -L .venv || ! test -e $(BIN)/dvc || grep -qF "$(CURDIR)/$(BIN)/" $(BIN)/dvc || \
		{ echo ">> This folder was moved or copied, and its .venv works in the old place alone. Delete .venv, and start again"; exit 1; }

repro: usable .venv/.ready
	@if [ -n "$(SCALE)" ]; then $(BIN)/python src/run.py set-scale $(SCALE); fi
	@echo ">> dvc repro"
	@$(BIN)/dvc repro
	@$(report)

test: usable .venv/.ready
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
	@$(BIN)/python src/run.py docs

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra replication --extra dev pyproject.toml -o requirements.lock
	printf '%s\n' $(PEERS) | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements.lock - -o requirements-peers.lock

wheel-test:
	@$(PYTHON) tests/wheel/build_and_try.py $(if $(TORCH),--torch $(TORCH))

# Beside the packages of .venv, which its interpreter finds too; what these have in common is installed once. A line of
# code, since a bare path would leave out what .pth files there add: this project itself, from src.
packages := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

.peers/.ready: requirements-peers.lock .venv/.ready
	@test -x .peers/bin/python || $(BIN)/python -m venv .peers
	@echo "import site; site.addsitedir('$$($(BIN)/python $(packages))')" > "$$(.peers/bin/python $(packages))/venv.pth"
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

pages: site
	@rm -rf build/pages && mkdir -p build/pages
	@cp -r reports/paper/. build/pages
	@cp reports/paper/report.html build/pages/index.html
	@cp -r build/site build/pages/docs
	@echo ">> build/pages/index.html"
