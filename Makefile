# SPDX-License-Identifier: GPL-2.0-only
# The front door: each target says in one line what it does ("make help"), and hands on to the program that does it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

KVER    ?= 6.1
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
CACHE   := $(or $(VIREO_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vireo)

##@ Start here
help: ## print this table
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: setup ## see it: one guest, its card served by the kernel, then by the VMM; KVER=6.1|6.12, or LAB=host without the lab
	@selftests/demo $(if $(filter host,$(LAB)),--host) --kernel "$(KVER)"

check: setup ## run all tests (installs, fetches and builds what they need); TIERS="a b" for some
	@selftests/check check $(if $(ALSO),--also $(ALSO)) $(TIERS)

##@ Build
modules: setup ## build the kernel modules into build/KVER; KVER=6.1|6.12|debug|debug-6.12|installed
	@kernel/build "$(KVER)"

vmm: setup ## build the userspace, and the tests' programs, into build/host
	@cmake -S . -B build/host -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_INSTALL_PREFIX="$(PREFIX)" >/dev/null
	@cmake --build build/host --parallel $(JOBS)

##@ Try
lab: setup ## a root shell in a virtual machine that runs KVER, with this checkout at hand
	@$(MAKE) modules
	@selftests/lab/run --kernel "$(KVER)" --shell

load: setup ## build the modules for the running kernel and insert them
	@kernel/load

unload: ## take the modules out of the running kernel
	@kernel/load --remove

##@ Test
check-fast: setup ## unit tests and style, no lab: less than a minute
	@selftests/check fast $(TIERS)

check-full: setup ## everything, whole matrices, debug-6.12 and a fresh Debian: hours rather than minutes
	@selftests/check full $(TIERS)

check-fresh: setup ## prove the set-up: a minimal Debian 12, a clean clone, and there setup, check-fast and a lab boot
	@selftests/check full fresh

fuzz: setup ## fuzz the engine for longer than the check does; SECONDS_EACH=600
	@selftests/fuzz/run --seconds $(or $(SECONDS_EACH),600)

fuzz-ioctl: setup ## fuzz the devices' ioctls on the debug kernel, in the lab; SECONDS_EACH=600
	@$(MAKE) modules KVER=debug
	@$(MAKE) vmm
	@selftests/lab/run --kernel debug --out build/lab/fuzz-ioctl --timeout $$((1200 + 2 * $(or $(SECONDS_EACH),600))) -- \
		selftests/fuzz/ioctl/run --seconds $(or $(SECONDS_EACH),600)

coverage: setup ## which lines and branches of the engine the unit tests reach
	@selftests/unit/coverage

bench: setup ## measure the engine: nanoseconds and instructions per chain
	@selftests/bench/run

bench-net: setup ## measure /dev/vireo-net beside the kernel's /dev/vhost-net: instructions per packet, in the lab
	@selftests/bench/net/run $(if $(filter-out 6.1,$(KVER)),--kernel $(KVER))

bench-blk: setup ## measure /dev/vireo-blk beside io_uring and userspace: instructions per request, in the lab
	@selftests/bench/blk/run $(if $(filter-out 6.1,$(KVER)),--kernel $(KVER))

bench-boot: setup ## measure the boot of a guest beside QEMU: instructions to its first line, memory, in the lab
	@selftests/bench/boot/run $(if $(filter-out 6.1,$(KVER)),--kernel $(KVER))

style: setup ## formatting, checkpatch, shellcheck, clang-tidy, links, spelling
	@selftests/check check style tidy

##@ Install and clean
install uninstall: KVER = installed
install: setup ## install userspace below PREFIX, modules for KVER=installed; DESTDIR is honoured
	@$(MAKE) vmm
	@DESTDIR="$(DESTDIR)" cmake --install build/host >/dev/null
	@DESTDIR="$(DESTDIR)" kernel/build "$(KVER)" --install

uninstall: ## remove what install installed
	@DESTDIR="$(DESTDIR)" kernel/build "$(KVER)" --uninstall
	@[ ! -e build/host/install_manifest.txt ] || sed 's|^|$(DESTDIR)|' build/host/install_manifest.txt | xargs -d '\n' rm -f

setup: ## install the Debian packages that are missing
	@selftests/lab/setup

clean: ## remove build/
	@rm -rf build

distclean: clean ## remove build/, and the kernels, guests and objects cached outside the checkout
	@rm -rf "$(CACHE)"/{ccache,kernels,guest,lab,style,fresh,vringh-*}

.PHONY: help demo check check-fast check-full check-fresh modules vmm lab load unload fuzz fuzz-ioctl coverage bench bench-net bench-blk \
	bench-boot style install uninstall setup clean distclean
