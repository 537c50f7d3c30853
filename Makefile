# make run and make test install what they need first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup installed test quick check chaos bench simulate coverage reliability format requirements clean

BIN := .venv/bin
UV := $(BIN)/uv
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0

# Only one set-up runs at a time.
alone := $(if $(shell command -v flock),flock .tools/lock)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'make run takes FILE=path TARGET=http://host:port PARAMS="Name=value ..." OUT=dir'
	@echo '  FEED=name KEEP=1 FAILING=n DIALECT=path'
	@echo '$(BIN)/python -m local.run --help says more'

setup: ## Install everything, pinned and hashed, in .venv and .tools
	@mkdir -p .tools
	@$(alone) $(MAKE) installed

installed: .venv/.installed .tools/engine/.installed .tools/sam/.installed
	@:

include local/run.mk

test: setup ## Run all tests but make chaos and make test-container
	@echo 'Left out: tests/local/test_chaos.py, which kills processes at random for minutes (make chaos);'
	@echo 'tests/container, which needs root and a Docker engine (make test-container).'
	@$(BIN)/pytest -rs -m 'not chaos and not container' -n auto --dist loadfile --no-loadscope-reorder --hypothesis-profile ci tests

quick: setup ## Test units, template and report: about four minutes
	@$(BIN)/pytest -m 'not container' -n auto --dist loadfile --no-loadscope-reorder tests/unit tests/contract tests/browser

check: setup ## Format, lint, types, layers, template
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/sam validate --lint --template template.yaml
	$(BIN)/cfn-lint -r us-east-1 eu-central-1 ap-southeast-2 us-gov-west-1 cn-north-1 -- template.yaml
	$(BIN)/pytest tests/contract

chaos: setup ## Kill functions, executions and engine: about six minutes
	@$(BIN)/pytest -m chaos --durations=0 tests/local/test_chaos.py

bench: setup .tools/bench/.installed ## Measure splitters, steps and pipe; ROWS=100000: quick look
	@$(BIN)/python -m benchmarks.splitting --rows $(or $(ROWS),2000000) --rounds $(or $(ROUNDS),2) --peers .tools/bench/bin/python
	@for part in uploading settling recording; do echo; $(BIN)/python -m benchmarks.$$part; done
	@$(BIN)/python -m benchmarks.pipeline $(if $(ROWS),--rows $(ROWS))

simulate: setup .tools/bench/.installed ## Simulate days against quotas; SIMULATE="--json"
	@PYTHONPATH=$(borrowed):layers/shared:. .tools/bench/bin/python -m benchmarks.simulate $(SIMULATE)

coverage: setup .tools/coverage/.installed ## Measure which lines the tests without the engine reach
	@rm -rf .run/coverage && mkdir -p .run/coverage
	@PYTHONPATH=layers/shared:.:$(borrowed) .tools/coverage/bin/coverage run -m pytest -n auto --dist loadfile \
		-m 'not engine and not chaos and not container' tests
	@.tools/coverage/bin/coverage combine --quiet
	@.tools/coverage/bin/coverage json --quiet -o .run/coverage/report.json
	@$(BIN)/python -m tools.branches

reliability: setup ## Run the tests of all faults and write docs/reliability.md
	@$(BIN)/pytest -m 'fault and not chaos and not container' -n auto --dist loadfile --reliability docs/reliability.md tests

format: setup ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove all that can be made again, end kept runs; not out/
	@$(BIN)/python -m local.commands clean || echo 'Kept runs, if there are any, go on.'
	rm -rf .venv .tools .run .aws-sam .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- set-up ---

.venv/.installed: requirements-dev.txt pyproject.toml requirements/local.txt
	@echo 'Setting up .venv'
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
		|| "$$(tools/find-python)" -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/local.txt
	@$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@# Compile here: an environment may forbid Python to write bytecode, and then every start compiles again.
	@$(BIN)/python -m compileall -qq layers .venv/lib || true
	@touch $@

.tools/%/.installed: requirements/%.txt | .venv/.installed
	@echo 'Setting up .tools/$*'
	@rm -rf .tools/$* && $(UV) venv --quiet --python $(BIN)/python .tools/$*
	@$(UV) pip sync --quiet --require-hashes --python .tools/$*/bin/python $<
	@touch $@

# --- requirements: make requirements UPGRADE=--upgrade takes the newest versions ---

compile = $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate $(UPGRADE) \
	--python-version 3.13 --custom-compile-command 'make requirements'
# The layers hold the packages for Lambda on arm64; the hashes are those of all platforms.
layer = $(compile) --python-platform aarch64-manylinux_2_28
listed = $(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*$(1), sep="\n")'

requirements: ## Compile the pinned, hashed requirements again
	$(compile) --universal requirements/local.in --output-file requirements/local.txt
	echo '-e .' | $(compile) --universal - pyproject.toml requirements/local.in --group dev \
		--no-emit-package bulk-profiles --output-file requirements-dev.txt
	$(compile) --universal requirements/engine.in --output-file requirements/engine.txt
	$(compile) --universal requirements/sam.in --output-file requirements/sam.txt
	$(call listed,p["dependencies"]) | $(layer) - --output-file layers/shared/requirements.txt
	$(call listed,p["optional-dependencies"]["splitting"]) | $(layer) - \
		--constraint layers/shared/requirements.txt --output-file layers/splitting/requirements.txt

# --- proof: make audit, make fuzz, make mutate ---
# make fuzz FUZZ_SECONDS=60 (each target) FUZZ_SEED=1 (repeats a run) EXAMPLES=300 (of each setting with accidents)
# make mutate MUTATE_MODULES="ledger budget.policy" (or all) MUTATE_SAMPLE=60 MUTATE_SECONDS=600 MUTATE_WRITE=1

.PHONY: audit fuzz mutate planted requirements-proof
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 1
EXAMPLES ?= 300
MUTATE_SECONDS ?= 1800
MUTATE_SAMPLE ?= 0
# These tools have environments of their own and import the packages of .venv.
borrowed = $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')

audit: setup .tools/audit/.installed .tools/checkov/.installed ## Look for known faults and vulnerable packages
	.tools/audit/bin/bandit --quiet --configfile .bandit.yaml --recursive layers/shared/bulk_profiles functions local simulator tools
	$(BIN)/cfn-lint template.yaml
	.tools/checkov/bin/checkov --config-file .checkov.yaml --file template.yaml --compact --quiet
	.tools/audit/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/python -m tools.advisories

fuzz: setup .tools/fuzz/.installed ## Fuzz readers and tables; FUZZ_SECONDS, FUZZ_SEED, EXAMPLES
	@mkdir -p .run/fuzz
	@for target in answers reading writers; do \
		echo "$$target: $(FUZZ_SECONDS) seconds from seed $(FUZZ_SEED); inputs that break it go to .run/fuzz/"; \
		PYTHONPATH=$(borrowed):layers/shared:. .tools/fuzz/bin/python tests/fuzz/fuzz.py $$target -max_total_time=$(FUZZ_SECONDS) \
			-seed=$(FUZZ_SEED) -artifact_prefix=.run/fuzz/$$target- -verbosity=0 || exit 1; done
	@EXAMPLES=$(EXAMPLES) $(BIN)/pytest --hypothesis-profile fuzz --hypothesis-seed $(FUZZ_SEED) \
		tests/faults/test_state_machine.py

planted: setup ## Plant faults in template and state machine alone
	@$(BIN)/python -m tools.planted

mutate: planted .tools/mutate/.installed ## Plant faults, and change code; variables are in the Makefile
	@PYTHONPATH=$(borrowed) $(BIN)/python -m tools.mutate --seconds $(MUTATE_SECONDS) --sample $(MUTATE_SAMPLE) \
		$(if $(MUTATE_WRITE),--write) $(MUTATE_MODULES)

requirements: requirements-proof
requirements-proof:
	$(foreach tool,audit bench checkov coverage fuzz mutate,$(compile) --universal requirements/$(tool).in \
		--output-file requirements/$(tool).txt$(newline))
define newline


endef

# --- containers ---

.PHONY: test-container
test-container: setup ## Run each function in a container; needs root on Debian
	@$(BIN)/python -m tests.container
