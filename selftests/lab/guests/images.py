# SPDX-License-Identifier: GPL-2.0-only
"""The guests' images in the cache. Each is named by a digest of all that it is made of, and made when it is missing."""

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

from vlab import kernels, paths
from vlab.errors import LabError

from . import disk as disk_image
from . import initrd as initrd_image
from . import packages
from .errors import GuestError, say

CODE = Path(__file__).resolve().parent


def cache() -> Path:
    path = paths.cache_root() / "guest"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GuestError(f"{path}: {error.strerror}; name a directory that you can write to in VIREO_CACHE") from error
    return path


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """One maker at a time: whoever comes second waits, and is told why."""
    if os.environ.get("VIREO_LAB"):
        raise GuestError(
            f"the {name} is not in the cache, and would be lost with the lab: "
            f"run selftests/lab/guest {name} outside of it first"
        )
    path = cache() / f"{name}.lock"
    try:
        lock = open(path, "w", encoding="ascii")
    except OSError as error:
        raise GuestError(f"{path}: {error.strerror}; name a directory that you can write to in VIREO_CACHE") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is making the {name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest_of(*files: Path) -> bytes:
    """For a key: names and contents of files, and of what directories hold."""
    parts = []
    for path in files:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            parts += [file.name.encode(), oct(file.stat().st_mode & 0o777).encode(), file.read_bytes()]
    return paths.digest(*parts).encode()


def need_space(gigabytes: float) -> None:
    free = shutil.disk_usage(cache()).free / 1e9
    if free < gigabytes:
        raise GuestError(
            f"{cache()} has {free:.1f} GB free, and {gigabytes:.1f} GB are needed; "
            "make room, or name another place in VIREO_CACHE"
        )


@functools.cache
def find_kernel(alias: str) -> kernels.Kernel:
    try:
        kernels.check_alias(alias)
        return kernels.find(alias)
    except LabError as error:
        raise GuestError(str(error)) from error


def bzimage(alias: str) -> Path:
    """The guest's kernel as distributed."""
    find_kernel(alias)
    command = [str(paths.LAB / "kernel"), alias, "image"]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def vmlinux(alias: str) -> Path:
    """The guest's kernel as QEMU and others enter it at once; three times as fast under emulation."""
    return find_kernel(alias).image


def package_pool(names: list[str]) -> Path:
    """A directory with these packages, in the versions that were the newest when it was asked for first."""
    pool = cache() / f"packages-{paths.digest(*(name.encode() for name in names))}"
    if not pool.is_dir():
        with _locked("initrd"):
            if not pool.is_dir():
                need_space(0.1)
                packages.fetch(names, pool)
    return pool


def initrd(alias: str) -> Path:
    """The small initrd, with this kernel's modules."""
    kernel = find_kernel(alias)
    modules = kernel.modules.parents[2]
    debs = package_pool(packages.listed(initrd_image.CONTENT / "packages"))
    versions = "\n".join(sorted(deb.name for deb in debs.glob("*.deb"))).encode()
    index = kernel.modules / "modules.dep"
    stamp = f"{kernel.modules} {index.stat().st_size} {index.stat().st_mtime_ns}".encode()
    recipe = _digest_of(initrd_image.CONTENT, CODE / "initrd.py", CODE / "elf.py", paths.VLAB / "cpio.py")
    image = cache() / f"initrd-{kernel.release}-{paths.digest(versions, stamp, recipe)}.cpio"
    if not image.exists():
        with _locked("initrd"):
            if not image.exists():
                need_space(0.2)
                say(f"making the initrd for kernel {kernel.release}")
                new = image.with_suffix(".new")
                initrd_image.make(debs, modules, kernel.release, new)
                new.rename(image)
    return image


def disk() -> Path:
    """A raw image of a Debian 12 disk that boots by itself, with root on its first partition."""
    recipe = _digest_of(disk_image.CONTENT, CODE / "disk.py")
    image = cache() / f"debian-{paths.digest(recipe)}.img"
    if not image.exists():
        with _locked("disk"):
            if not image.exists():
                need_space(4)
                new = image.with_suffix(".new")
                try:
                    disk_image.make(new, cache())
                    new.rename(image)
                finally:
                    new.unlink(missing_ok=True)
    return image


def update() -> None:
    """Forget the fetched packages and all that was made of them, so that it is made anew of the newest."""
    with _locked("initrd"), _locked("disk"):
        for path in cache().iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix != ".lock":
                path.unlink()
