# make demo   see it work: installs what it needs, then calls survive a dying uplink
# make test   everything but the slow tests
# make help   the rest
#
# All of it runs as root on a fresh Debian 12 or 13; root is for packages and for
# network namespaces. What was installed and built once is kept in build/.

.DEFAULT_GOAL := help
BIN := build/venv/bin
CODE := $(wildcard gateway webui tests) image/pjsua2 image/prompts
UNITS := $(wildcard systemd/*.service)
# systemd-analyze prints 1.5 for 15.
EXPOSURE := 15

.PHONY: help demo test bench install prepare prepare-lab prepare-vm lint types unit-security slow vm lock clean \
    distclean reference

help:
	@echo 'make demo           the whole path in a laboratory of network namespaces (HOLD=1 keeps it up)'
	@echo 'make test           ruff, mypy, pytest without the slow tests, hardening of the systemd units'
	@echo 'make slow           the slow tests'
	@echo 'make vm             the tests on simulated hardware, in an emulated machine (amd64)'
	@echo 'make bench          the figures, each beside its target'
	@echo 'make install        put it on this machine (image/install --remove takes it away)'
	@echo 'make prepare        only install and build what the others need'
	@echo 'make reference      write SETTINGS.md and gateway/panel/README.md from the tables'
	@echo 'make lock           renew requirements*.txt from requirements*.in'
	@echo 'make clean          remove what was built, keep downloads and compiled pjsua2'
	@echo 'make distclean      remove those too'

prepare:
	@image/prepare

prepare-lab:
	@image/prepare lab

prepare-vm:
	@image/prepare lab vm

demo: prepare-lab
	@$(BIN)/python -m tests.demo

test: prepare-lab lint types unit-security
	@$(BIN)/pytest -m 'not slow'

slow: prepare-lab
	@$(BIN)/pytest -m slow

vm: prepare-vm
	@$(BIN)/python -m tests.vm.run

bench: prepare-lab
	@$(BIN)/python -m tests.bench

install:
	@image/install

lint: prepare-lab
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

types: prepare-lab
	@$(BIN)/mypy $(CODE)

unit-security: prepare-lab
	@for unit in $(UNITS); do \
	    systemd-analyze security --offline=true --threshold=$(EXPOSURE) "$$unit" >build/security.log 2>&1 \
	        || { tail -n 3 build/security.log; echo "$$unit: exposure above $(EXPOSURE)/10; see build/security.log"; exit 1; }; \
	done

reference: prepare-lab
	@$(BIN)/python -m gateway.forms reference >SETTINGS.md
	@$(BIN)/python -m tests.panel.readme

# For every platform at once, and without a word of where packages came from.
lock:
	@python3 -m venv build/lock && build/lock/bin/pip install -q uv
	@for set in requirements requirements-test; do \
	    build/lock/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
	        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $$set.in -o $$set.txt; \
	done

clean:
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find build -mindepth 1 -maxdepth 1 ! -name cache ! -name venv -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf build
