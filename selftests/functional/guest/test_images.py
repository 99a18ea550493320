# SPDX-License-Identifier: GPL-2.0-only
"""The images: the same input gives the same bytes, and what is missing is told in a sentence."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from guests import images, initrd, packages
from guests.errors import GuestError

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def debs(guest_image) -> Path:
    guest_image("initrd")
    names = packages.listed(initrd.CONTENT / "packages")
    return images.package_pool(names)


@pytest.fixture(scope="module")
def kernel():
    return images.find_kernel("6.1")


def make(debs: Path, kernel, out: Path) -> bytes:
    initrd.make(debs, kernel.modules.parents[2], kernel.release, out)
    return out.read_bytes()


def test_the_same_packages_make_the_same_initrd(debs, kernel, guest_image, tmp_path):
    assert make(debs, kernel, tmp_path / "initrd") == Path(guest_image("initrd")).read_bytes()


def test_the_initrd_is_small(guest_image):
    assert os.path.getsize(guest_image("initrd")) < 25e6


def test_a_library_that_no_package_has(debs, kernel, tmp_path):
    some = tmp_path / "debs"
    some.mkdir()
    for deb in debs.glob("*.deb"):
        if not deb.name.startswith("libsctp1_"):
            (some / deb.name).symlink_to(deb)
    with pytest.raises(GuestError, match="needs libsctp.so.1, which is in none of the initrd's packages"):
        make(some, kernel, tmp_path / "initrd")


def test_a_program_that_no_package_has(debs, kernel, tmp_path, monkeypatch):
    monkeypatch.setattr(initrd, "PROGRAMS", ("dash", "no-such-program"))
    with pytest.raises(GuestError, match="the program no-such-program is in none of the initrd's packages"):
        make(debs, kernel, tmp_path / "initrd")


def test_a_package_that_is_broken(debs, kernel, tmp_path):
    some = tmp_path / "debs"
    shutil.copytree(debs, some)
    next(some.glob("fio_*")).write_bytes(b"half a pack")
    with pytest.raises(GuestError, match=f"could not unpack .*fio_.*; remove {some} and try again"):
        make(some, kernel, tmp_path / "initrd")


# --- the command, on a cache that has kernels and nothing else ---


@pytest.fixture
def guest_command(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    for part in ("kernels", "lab"):
        (cache / part).symlink_to(images.cache().parent / part)
    tools = tmp_path / "tools"
    tools.mkdir()

    def run(*arguments: str, **tool: str) -> subprocess.CompletedProcess:
        for name, script in tool.items():
            path = tools / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(stat.S_IRWXU)
        env = {**os.environ, "VIREO_CACHE": str(cache), "PATH": f"{tools}:{os.environ['PATH']}"}
        command = [CHECKOUT / "selftests/lab/guest", *arguments]
        return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    return run


def told(done: subprocess.CompletedProcess, status: int, *parts: str) -> None:
    assert done.returncode == status
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("guest: ")
    for part in parts:
        assert part in last


def test_no_network(guest_command):
    apt = "echo 'E: Failed to fetch dash.deb  Temporary failure resolving' >&2; exit 100"
    done = guest_command("initrd", apt_get=apt)
    told(done, 1, "could not download", "Temporary failure resolving", "connect this machine to the network")


def test_no_network_for_the_disk(guest_command):
    done = guest_command("disk", mmdebstrap="echo 'E: apt-get update failed' >&2; exit 1")
    told(done, 1, "this machine is connected")
    assert "E: apt-get update failed" in done.stderr


def test_a_cache_that_cannot_be_written(guest_command, tmp_path):
    (tmp_path / "cache/guest").write_text("in the way")
    told(guest_command("initrd"), 1, "cache/guest", "name a directory that you can write to in VIREO_CACHE")


def test_inside_the_lab_nothing_is_made(guest_command, monkeypatch):
    monkeypatch.setenv("VIREO_LAB", "1")
    for what in ("initrd", "disk"):
        told(guest_command(what), 1, f"the {what} is not in the cache", f"run selftests/lab/guest {what} outside of it")


def test_update_forgets_all_that_was_made(guest_command, tmp_path):
    cache = tmp_path / "cache/guest"
    (cache / "packages-old").mkdir(parents=True)
    for name in ("packages-old/dash.deb", "initrd-old.cpio", "debian-old.img"):
        (cache / name).touch()
    done = guest_command("update")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not [path.name for path in cache.iterdir() if path.suffix != ".lock"]


def test_no_room(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 5 * 10**6))
    with pytest.raises(GuestError, match=r"has 0.0 GB free, and 4.0 GB are needed; make room"):
        images.need_space(4)


def test_an_unknown_kernel(guest_command):
    told(guest_command("initrd", "6.2"), 1, 'kernel "6.2": unknown; known are 6.1, 6.12, debug, debug-6.12')


@pytest.mark.parametrize("arguments", [(), ("floppy",), ("disk", "6.1"), ("initrd", "6.1", "6.12")])
def test_words_it_does_not_know(guest_command, arguments):
    told(guest_command(*arguments), 2, "ask for initrd, kernel, vmlinux, disk or update")
