# SPDX-License-Identifier: GPL-3.0-or-later
# Everything an operator or developer of this project runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := $(CURDIR)/.venv
STAMP := $(VENV)/.installed
BENCH_VENV := $(CURDIR)/.venv-bench
FUZZ_VENV := $(CURDIR)/.venv-fuzz
SECOND_CLIENT := build/tuf-js
INVENTORY ?= inventories/lab
LAB ?= demo
PLAYBOOK ?= playbooks/site.yml
LIMIT ?=
SCENARIO ?=
BENCH ?=
TARGET ?=
SECONDS ?= 60
HOST ?=
NAME ?=
ARGS ?=
# What each change must leave whole beside the whole estate, and what takes longer.
SCENARIOS := mesh
DRILLS := confirm directory mtu rotation seals segments state tenants voice

export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Ansible insists on a locale with UTF-8
export LC_ALL := C.UTF-8

say = @printf '\n==> %s\n' "$(1)"
lab = ansible-playbook -i localhost, -e ansible_python_interpreter=$(VENV)/bin/python -e @lab/estates/$(LAB).yml

.PHONY: help demo demo-rollouts test checks test-unit test-molecule test-estate drills scenarios lint bench fuzz docs build lab-up lab-down lab-status lab-shell converge clean venv role

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## make the virtual environment in .venv from the lock file

$(STAMP): requirements/dev.txt lab/bootstrap.sh
	$(call say,Installing what the controller needs (a few minutes, once))
	lab/bootstrap.sh environment
	@test -x $(VENV)/bin/python || /usr/bin/python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

build/src: ## the library and the programs as import packages, for tests and the type checker
	@mkdir -p $@
	@ln -sfn ../../plugins/module_utils $@/bocage_core
	@ln -sfn ../../apps/agent $@/bocage_agent
	@ln -sfn ../../apps/packager $@/bocage_packager
	@ln -sfn ../../apps/registry $@/bocage_registry
	@ln -sfn ../../apps/segments $@/bocage_segments

demo: venv ## bring up the demo estate, converge it, prove it, show it
	@tests/timed.sh "1/6 the lab" $(MAKE) --no-print-directory lab-up
	@tests/timed.sh "2/6 trust of the estate" ansible-playbook -i $(INVENTORY) playbooks/trust.yml
	@tests/timed.sh "3/6 enrolment of new hosts" ansible-playbook -i $(INVENTORY) playbooks/enrol.yml -e enrol_key_holder=lab
	@tests/timed.sh "4/6 the whole estate" ansible-playbook -i $(INVENTORY) playbooks/site.yml
	@tests/timed.sh "5/6 proofs" ansible-playbook -i $(INVENTORY) playbooks/prove.yml
	@tests/timed.sh "6/6 the estate as it reports itself" ansible-playbook -i $(INVENTORY) playbooks/show.yml
	@cat lab/what-next.txt

demo-rollouts: venv build/src ## on that estate: a good package goes through three rings, a bad one ends in the first and is taken back
	@lab/rollouts.sh $(INVENTORY)

# The drills have the machine for themselves, since they look for what is lost and for how long.
test: venv build/src $(SECOND_CLIENT)/.installed ## everything: lint, unit and repository tests, scenarios, the whole estate and its drills
	@lab/bootstrap.sh lab
	@tests/timed.sh "1/2 the whole estate, beside lint, unit and repository tests and scenarios" tests/beside.sh build/checks.log \
	  "$(MAKE) --no-print-directory checks test-molecule" "LEAVE_LAB=1 $(MAKE) --no-print-directory test-estate"
	@tests/timed.sh "2/2 drills" env USE_LAB=1 pytest tests/drills -p no:cacheprovider

checks: venv build/src ## lint, unit and repository tests, which need no containers
	@tests/timed.sh "lint" $(MAKE) --no-print-directory lint
	@tests/timed.sh "unit and repository tests" $(MAKE) --no-print-directory test-unit

# Where there is no npm, the tests of this client say so and are left out.
$(SECOND_CLIENT)/.installed: tests/tuf-js/package.json tests/tuf-js/package-lock.json tests/tuf-js/.npmrc
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@if command -v npm >/dev/null; then cd $(@D) && npm ci --loglevel=error && touch .installed; \
	  else echo 'npm is not installed: no second client will read our package repositories'; fi

test-unit: venv build/src $(SECOND_CLIENT)/.installed ## unit tests and tests on the tree
	pytest tests/unit tests/repo $(ARGS)

test-molecule: venv ## scenarios in containers (SCENARIO=name for one)
	@lab/bootstrap.sh lab
	tests/molecule.sh $(or $(SCENARIO),$(SCENARIOS))

drills: venv build/src ## the long forms of the drills, on an estate of their own (takeovers, drains, rotation, reboots)
	@lab/bootstrap.sh lab
	pytest tests/drills --long -p no:cacheprovider $(ARGS)

scenarios: venv ## the scenarios that make test leaves out: state, seals, layer 2, voice, tenants, rotation, sizes of packets, lost ways, Active Directory
	@lab/bootstrap.sh lab
	tests/molecule.sh $(DRILLS)

test-estate: venv build/src ## the demo estate from end to end, with faults and attacks
	@lab/bootstrap.sh lab
	pytest tests/estate -p no:cacheprovider --durations=25 $(ARGS)

lint: venv build/src ## ansible-lint, ruff, mypy, yamllint, sanity of the built artifact
	tests/lint.sh
	tests/sanity.sh

$(BENCH_VENV)/.installed: requirements/bench.txt
	$(call say,Installing the peers that are compared with)
	/usr/bin/python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bench.txt
	@touch $@

bench: venv build/src $(BENCH_VENV)/.installed ## figures as JSON lines (BENCH=converge|mesh|packages|state for one group, ARGS= for its options)
	@tests/bench/run.sh $(BENCH)

$(FUZZ_VENV)/.installed: requirements/fuzz.txt
	$(call say,Installing the fuzzer)
	/usr/bin/python3 -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/fuzz.txt
	@touch $@

fuzz: build/src $(FUZZ_VENV)/.installed ## feed the parsers of packages with what a fuzzer thinks of (TARGET= for one, SECONDS=60 for each)
	@tests/fuzz/run.sh $(SECONDS) $(TARGET)

docs: venv ## reference pages from the specs
	docs/build.sh

role: ## a role that leaves a seal, to start from (NAME=name)
	@docs/new-role.sh "$(NAME)"

build: venv ## the collection's artifact, the wheel and the agent's archive, in build/dist
	@mkdir -p build/dist
	ansible-galaxy collection build --force --output-path build/dist
	$(VENV)/bin/python -m build --wheel --outdir build/dist .
	ansible localhost -i localhost, -c local -m bocage.fleet.app_archive -e ansible_python_interpreter=$(VENV)/bin/python \
	  -a 'app=agent collection_directory=$(CURDIR) directory=$(CURDIR)/build/dist python=$(VENV)/bin/python'

lab-up: venv ## start the lab (LAB=demo)
	@lab/bootstrap.sh lab
	$(lab) lab/up.yml

lab-down: venv ## remove the lab's hosts and networks; image and package cache stay
	$(lab) lab/down.yml

lab-status: ## show the lab's hosts
	@lab/bin/podman ps --all --filter name=bocage- --format 'table {{.Names}}\t{{.Status}}'

lab-shell: ## a shell on a host of the lab (HOST=gw1)
	@test -n "$(HOST)" || { echo "lab-shell: name a host, as in: make lab-shell HOST=gw1"; exit 2; }
	@lab/bin/podman exec -it bocage-$(LAB)-$(HOST) bash

converge: venv ## run a playbook on the inventory (PLAYBOOK=, LIMIT=, ARGS=)
	ansible-playbook -i $(INVENTORY) $(PLAYBOOK) $(if $(LIMIT),--limit '$(LIMIT)') $(ARGS)

clean: ## remove the lab, its keys and everything that was built
	@if [ -x $(VENV)/bin/ansible-playbook ]; then $(lab) lab/down.yml -e lab_purge=true; fi
	rm -rf build .lab inventories/lab/trust $(VENV) $(BENCH_VENV) $(FUZZ_VENV)
