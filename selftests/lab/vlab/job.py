# SPDX-License-Identifier: GPL-2.0-only
"""What PID 1 is told: a small second archive behind the cached initramfs."""

import os
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .cpio import Archive
from .kernels import Kernel

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Job:
    argv: list[str]
    env: dict[str, str]
    cwd: Path
    out: Path
    tty: bool
    stdin: bool
    kmemleak: bool
    rows: int = 24
    cols: int = 80


def environment(kernel: Kernel, out: Path, extra: list[str]) -> dict[str, str]:
    """The command's environment: root's on a Debian system, and what is the lab's.

    The caller's is not passed on, so that a run does not depend on who starts it; except
    for VIREO_* (seeds, test options) and what --env names.
    """
    env = {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash",
           "LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
    env.update({k: v for k, v in os.environ.items() if k.startswith("VIREO_")})
    env.update(VIREO_LAB="1", VIREO_LAB_KERNEL=kernel.alias, VIREO_LAB_OUT=str(out),
               VIREO_MODULES=str(paths.CHECKOUT / "build" / kernel.alias),
               VIREO_CACHE=str(paths.cache_root()))
    # The checkout belongs to the caller and the command runs as root: git would refuse it.
    env.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    for item in extra:
        name, given, value = item.partition("=")
        if given:
            env[name] = value
        elif name in os.environ:
            env[name] = os.environ[name]
    return env


def archive(job: Job, kernel: Kernel) -> bytes:
    records = [
        ("hostname", f"vireo-{kernel.alias.replace('.', '-')}"),
        ("modules", str(kernel.modules.resolve())),
        ("out", str(job.out)),
        ("cwd", str(job.cwd)),
        ("tty", "01"[job.tty]),
        ("stdin", "01"[job.stdin]),
        ("kmemleak", "01"[job.kmemleak]),
        ("rows", str(job.rows)),
        ("cols", str(job.cols)),
        *(("env", f"{name}={value}") for name, value in job.env.items()),
        *(("arg", arg) for arg in job.argv),
    ]
    cpio = Archive()
    cpio.directory("lab")
    cpio.file("lab/job", b"".join(os.fsencode(f"{k}={v}") + b"\0" for k, v in records))
    return cpio.finish()
