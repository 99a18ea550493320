# SPDX-License-Identifier: GPL-2.0-only
"""The cache: where it is, who may write to it, how full the disk is. And the one way to fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
from pathlib import Path
from typing import Iterator


class KernelError(Exception):
    """What was attempted, what was found, what to do next: shown to the user as it is."""


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def kernels() -> Path:
    """The directory for kernels below the cache root, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(os.environ.get("VIREO_CACHE") or Path(base, "vireo"), "kernels").absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def unwritable(path: Path, error: OSError) -> KernelError:
    return KernelError(f"{path}: {error.strerror}; name a directory that you can write to in VIREO_CACHE")


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the cache's lock of that name: whoever comes second waits, and is told why."""
    path = kernels() / f"{name}.lock"
    try:
        lock = open(path, "w", encoding="ascii")
    except OSError as error:
        raise unwritable(path, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"kernel {name}: another process is fetching or building it; waiting for that")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need_space(name: str, gigabytes: float) -> None:
    where = kernels()
    free = shutil.disk_usage(where).free / 1e9
    if free < gigabytes:
        raise KernelError(
            f"kernel {name}: needs {gigabytes:.1f} GB while it is made, and {where} has {free:.1f} GB free; "
            "make room (selftests/lab/kernel prune removes old kernels), or name another place in VIREO_CACHE"
        )


def fresh(path: Path) -> Path:
    """An empty directory of that name, whatever an earlier try left there."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def disk_use(path: Path) -> int:
    """Bytes on disk below path, links not followed."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total
