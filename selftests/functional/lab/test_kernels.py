# SPDX-License-Identifier: GPL-2.0-only
"""selftests/lab/kernel: what it says when it cannot, and that the debug kernels check what they are built to check."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOP = Path(__file__).resolve().parents[3]
LAB = TOP / "selftests/lab"
sys.path.insert(0, str(LAB))

from kernels import recipe, store  # noqa: E402

SERIES = {"debug": "6.1", "debug-6.12": "6.12"}

# One line for each thing looked at, so that one boot serves all tests.
LOOK = r"""
zcat /proc/config.gz > "$VIREO_LAB_OUT/config"
dmesg > "$VIREO_LAB_OUT/dmesg"
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
for thing in kmemleak kcov kunit failslab/probability fail_page_alloc/probability fail_usercopy/probability; do
	test -e /sys/kernel/debug/$thing && echo "debugfs $thing"
done
echo scan > /sys/kernel/debug/kmemleak && echo "kmemleak scans"
test -e /proc/lockdep_stats && echo "lockdep on: $(grep -c . /proc/lockdep_stats)"
test -e /proc/self/make-it-fail && test -e /proc/self/fail-nth && echo "fails per task"
for module in kvm_amd vhost_net tun macvtap null_blk brd loop scsi_debug nbd dm_flakey dm_log_writes pktgen \
	e1000 8139cp 8139too ne2k_pci pcnet32 e100 ata_piix sd_mod act_gact cls_matchall sch_ingress; do
	modprobe -n $module && echo "module $module"
done
modprobe kvm_amd && test -c /dev/kvm && echo "kvm here"
true
"""


def kernel(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [LAB / "kernel", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=1800, check=False
    )


@pytest.fixture
def without_network(tmp_path: Path) -> dict[str, str]:
    """A PATH whose apt-get finds no host, and a cache with nothing in it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    fake = tools / "apt-get"
    fake.write_text("#!/bin/sh\necho 'E: Failed to fetch x  Temporary failure resolving mirror' >&2\nexit 100\n")
    fake.chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}", "VIREO_CACHE": str(tmp_path / "cache")}


def test_an_unknown_alias_is_answered_with_the_known_ones() -> None:
    done = kernel("6.2", "image")
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == 'lab: kernel "6.2": unknown; known are 6.1, 6.12, debug, debug-6.12, installed\n'


def test_an_unknown_question_is_answered_with_the_known_ones() -> None:
    done = kernel("6.1", "colour")
    assert done.returncode == 1 and '"colour"' in done.stderr and "sysmap" in done.stderr


@pytest.mark.parametrize("alias", ["6.1", "6.12", "debug", "debug-6.12"])
def test_have_fetches_nothing(alias: str, without_network: dict[str, str]) -> None:
    done = kernel(alias, "--have", **without_network)
    assert done.returncode == 1 and not done.stdout and not done.stderr


def test_without_network_it_says_so_and_leaves_nothing_half_done(without_network: dict[str, str]) -> None:
    done = kernel("6.1", "image", **without_network)
    assert done.returncode == 1 and not done.stdout
    assert "Temporary failure resolving" in done.stderr and "connect this machine to the network" in done.stderr
    assert kernel("6.1", "--have", **without_network).returncode == 1


def test_a_second_caller_waits_for_the_first(without_network: dict[str, str]) -> None:
    held = Path(without_network["VIREO_CACHE"], "kernels", "6.1.lock")
    held.parent.mkdir(parents=True)
    with open(held, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [LAB / "kernel", "6.1", "image"], env={**os.environ, **without_network}, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr is not None
        assert "another process" in second.stderr.readline()
        assert second.poll() is None
    assert second.wait(timeout=600) == 1
    assert "apt could not download" in second.stderr.read()


def test_a_full_disk_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIREO_CACHE", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(store.KernelError, match="needs 4.5 GB .* has 1.0 GB free"):
        store.need_space("debug", 4.5)
    store.need_space("debug", 0.9)


def test_an_option_that_kconfig_drops_is_named(tmp_path: Path) -> None:
    config = tmp_path / ".config"
    config.write_text("CONFIG_SLUB=y\nCONFIG_VT=y\n# CONFIG_KASAN is not set\nCONFIG_NR_CPUS=64\n")
    wanted = {"CONFIG_SLUB": "y", "CONFIG_VT": "n", "CONFIG_KASAN": "y", "CONFIG_NR_CPUS": "16", "CONFIG_HID": "n"}
    assert recipe.refused(wanted, config) == [
        "CONFIG_VT (wanted n, got y)",
        "CONFIG_KASAN (wanted y, got n)",
        "CONFIG_NR_CPUS (wanted 16, got 64)",
    ]


@pytest.mark.parametrize("alias", ["6.1", "6.12"])
def test_a_stock_kernel_is_whole(alias: str) -> None:
    release = kernel(alias, "release").stdout.strip()
    assert release.startswith(alias + ".")
    for what in ("image", "sysmap", "config"):
        assert Path(kernel(alias, what).stdout.strip()).is_file()
    modules = Path(kernel(alias, "modules").stdout.strip(), "lib/modules", release)
    build = Path(kernel(alias, "build").stdout.strip())
    assert (modules / "modules.dep").stat().st_size > 0
    assert (modules / "build").resolve() == build.resolve()
    assert (build / "Module.symvers").is_file()
    assert kernel(alias, "--have").returncode == 0


class Booted:
    """What a debug kernel said of itself from inside."""

    def __init__(self, alias: str, out: Path) -> None:
        self.alias = alias
        command = [LAB / "run", "--kernel", alias, "--no-kmemleak", "--out", out, "--", "bash", "-c", LOOK]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
        self.seen = set(done.stdout.splitlines())
        assert done.returncode == 0, done.stdout + done.stderr
        self.config = out / "config"
        self.dmesg = (out / "dmesg").read_text(errors="replace")


# The second kernel takes as long again: it is for the whole check.
BOOTED = ["debug", "debug-6.12"] if os.environ.get("VIREO_CHECK") == "full" else ["debug"]


@pytest.fixture(scope="module", params=BOOTED)
def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Booted:
    return Booted(request.param, tmp_path_factory.mktemp("out"))


def test_every_option_asked_for_is_on_in_the_booted_kernel(booted: Booted) -> None:
    assert recipe.refused(recipe.options(SERIES[booted.alias]), booted.config) == []


def test_kasan_is_awake(booted: Booted) -> None:
    assert "KernelAddressSanitizer initialized" in booted.dmesg


def test_lockdep_is_awake(booted: Booted) -> None:
    assert "Lock dependency validator" in booted.dmesg
    assert any(line.startswith("lockdep on") for line in booted.seen)


def test_leaks_are_looked_for_on_request(booted: Booted) -> None:
    assert {"debugfs kmemleak", "kmemleak scans"} <= booted.seen


def test_faults_can_be_injected(booted: Booted) -> None:
    points = {f"debugfs {name}/probability" for name in ("failslab", "fail_page_alloc", "fail_usercopy")}
    assert points | {"fails per task"} <= booted.seen


def test_coverage_and_kunit_are_there(booted: Booted) -> None:
    assert {"debugfs kcov", "debugfs kunit"} <= booted.seen


def test_modules_for_lab_and_guests_are_there(booted: Booted) -> None:
    asked = LOOK[LOOK.index("for module in ") + 14 : LOOK.index("; do\n\tmodprobe")].replace("\\", "").split()
    assert len(asked) > 20
    assert {f"module {name}" for name in asked} <= booted.seen


def test_it_can_run_guests(booted: Booted) -> None:
    assert "kvm here" in booted.seen
