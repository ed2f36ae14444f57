# minirun: `make help` lists the targets. On a fresh Debian 12, as root, each of
# them first brings what it needs: Debian packages, then .venv, then minirun in it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Debian's own interpreter: a version manager's shim adds 95 ms to every start.
PYTHON ?= /usr/bin/python3
VENV   := .venv
BIN    := $(CURDIR)/$(VENV)/bin
IMAGES := busybox debian python

# What the installed minirun is made from.
SOURCES := pyproject.toml README.md LICENSE $(shell find minirun -name '*.py' -o -name '*.[ch]' -o -name '*.json' -o -name '*.nft' -o -name '*.toml') \
           $(shell find tutorials -type f -not -path '*/.*')

# An installed minirun must be byte-compiled, or each start compiles it again.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# --- for everyone -------------------------------------------------------------

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: install ## set everything up and run a few containers, each command shown
	@$(PYTHON) rootfs-builder/build.py busybox
	@PATH="$(BIN):$$PATH" bash rootfs-builder/demo.sh

.PHONY: install
install: $(VENV)/.installed ## .venv with minirun in it; `.venv/bin/minirun` is ready to use

.PHONY: images
images: install packages-images ## build the images busybox, debian and python, and load them
	@$(PYTHON) rootfs-builder/build.py $(IMAGES)
	@for image in $(IMAGES); do $(BIN)/minirun load -i rootfs-builder/output/$$image.tar || exit; done

# --- for developers -----------------------------------------------------------

.PHONY: test
test: install packages-test packages-vm $(VENV)/.test ## run the tests (TESTS=tests/unit picks some)
	@$(BIN)/python -m $(if $(TESTS),pytest,tests) -rfEs $(TESTS) </dev/null

.PHONY: test-docs
test-docs: packages-docs $(VENV)/.test $(VENV)/.docs ## build the site and look at it in a browser
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m pytest -rfEs tests/site </dev/null

.PHONY: test-vm
test-vm: install packages-test packages-vm $(VENV)/.test ## boot the test bed (pure cgroup v2, AppArmor) and run the quick set in it
	@$(BIN)/python -m tests.bed $(TESTS) </dev/null

.PHONY: test-vm-all
test-vm-all: install packages-test packages-vm $(VENV)/.test ## the same with every test that is marked for it
	@$(BIN)/python -m tests.bed --all $(TESTS) </dev/null

.PHONY: check
check: $(VENV)/.test ## lint, format, types, C warnings, layers, sizes, conventions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m minirun.native.build --check
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_conventions.py tests/unit/test_layers.py

.PHONY: bench
bench: install packages-test packages-vm ## measure against runc and podman (BENCH=start picks a part)
	@$(BIN)/python -m tests.bench $(BENCH) </dev/null

.PHONY: pod-fields
pod-fields: $(VENV)/.test ## write tutorials/pod-fields.md anew: which fields of a manifest count
	@mkdir -p tutorials
	@$(BIN)/python -c "from minirun.pod.manifest import support; print(support.page(), end='')" > tutorials/pod-fields.md

.PHONY: tutorials
tutorials: $(VENV)/.dependencies ## assemble the chapters' README.md from their text.en.md
	@PYTHONPATH=. $(BIN)/python -m minirun.learn.assemble

.PHONY: docs
docs: $(VENV)/.docs ## build the tutorial as a site, to be read offline too: build/site/index.html
	@PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet -f .mkdocs.yml
	@echo "build/site/index.html"

.PHONY: native
native: packages ## compile the C programs in place, for a source checkout
	@PYTHONPATH=. $(PYTHON) -B -m minirun.native.build

.PHONY: clean
clean: ## sweep what dead containers left, then remove everything that was made here
	@if [ -x $(BIN)/minirun ]; then $(BIN)/minirun gc || true; fi
	rm -rf $(VENV) build dist rootfs-builder/output minirun/native/bin
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- Debian packages, installed only if they are missing ------------------------

NEEDED := ca-certificates python3 python3-venv python3-dev gcc libc6-dev musl-tools libcap-dev busybox-static
VM     := qemu-system-x86 kmod e2fsprogs apparmor
PEERS  := tini runc crun runsc podman catatonit skopeo umoci strace nftables iproute2 libseccomp2 procps util-linux \
          containernetworking-plugins iptables graphviz iperf3

.PHONY: packages packages-images packages-test packages-vm packages-docs
packages:
	@$(call apt,$(NEEDED))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "minirun needs Python 3.11 or newer: make PYTHON=/path/to/python3")'

packages-images: packages
	@$(call apt,mmdebstrap)

# What the tests ask for a second opinion; without one of them some tests skip.
packages-test: packages-images
	@$(call apt,$(PEERS)) || for peer in $(PEERS); do $(call apt,$$peer) || echo "tests that need $$peer will skip" >&2; done

packages-vm: packages
	@$(call apt,$(VM))

# 160 MB with what it needs: for `make test-docs` alone.
packages-docs: packages
	@$(call apt,chromium) || echo "tests that need chromium will skip" >&2

# $(call apt,PACKAGES): a shell command that installs those which dpkg does not know.
define apt
(missing=; for package in $(1); do \
    dpkg-query --show --showformat='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed \
        || missing="$$missing $$package"; \
done; \
[ -n "$$missing" ] || exit 0; \
[ "$$(id -u)" = 0 ] || { echo "as root: apt-get install$$missing" >&2; exit 1; }; \
echo "installing:$$missing"; export DEBIAN_FRONTEND=noninteractive; \
install="apt-get install -qq --yes --no-install-recommends $$missing"; \
$$install </dev/null >/dev/null 2>&1 || { apt-get update -qq && $$install </dev/null >/dev/null; })
endef

# --- the virtual environment, in three stamps -----------------------------------

$(VENV)/.dependencies: pyproject.toml | packages
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet wheel setuptools hatchling
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' \
	    | $(BIN)/pip install --quiet --requirement /dev/stdin
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@echo "installing minirun into $(VENV) ..."
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --force-reinstall .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["test"]))' \
	    | $(BIN)/pip install --quiet --requirement /dev/stdin
	@touch $@

$(VENV)/.docs: $(VENV)/.dependencies
	@$(BIN)/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"]))' \
	    | $(BIN)/pip install --quiet --requirement /dev/stdin
	@touch $@
