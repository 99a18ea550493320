# SPDX-License-Identifier: GPL-2.0-only
"""What a debug kernel is made of. All that changes the result is in key(): the same key, the same kernel."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from .store import KernelError

FRAGMENTS = Path(__file__).resolve().parent.parent / "debug"

# Debian 12's compiler, by the name that its own headers packages use too. A module must not be built by another.
COMPILER = "gcc-12"

# No date, host or user in the image: the same sources give the same bytes.
IDENTITY = {
    "KBUILD_BUILD_USER": "vireo",
    "KBUILD_BUILD_HOST": "lab",
    "KBUILD_BUILD_VERSION": "1",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
}

# What building modules against the kernel asks for: the rest of the tree goes.
HEADERS = (
    ".config",
    ".kernelvariables",
    "Makefile",
    "Module.symvers",
    "arch/x86/Makefile",
    "arch/x86/Makefile.um",
    "arch/x86/Makefile_32.cpu",
    "arch/x86/include",
    "include",
    "scripts",
    "tools/objtool/objtool",
)
LEFT_OUT = shutil.ignore_patterns("*.o", "*.cmd", "dt-bindings")


def fragments(series: str) -> list[Path]:
    """In the order in which they are merged: a later one wins."""
    return [FRAGMENTS / f"{name}.config" for name in ("base", "drivers", "checks", "unwanted", series)]


def options(series: str) -> dict[str, str]:
    """All that the fragments ask for: name to value, "n" for what shall be off."""
    wanted: dict[str, str] = {}
    for fragment in fragments(series):
        for number, line in enumerate(fragment.read_text(encoding="utf-8").splitlines(), 1):
            on = re.fullmatch(r"(CONFIG_\w+)=(.+)", line)
            off = re.fullmatch(r"# (CONFIG_\w+) is not set", line)
            if on:
                wanted[on.group(1)] = on.group(2)
            elif off:
                wanted[off.group(1)] = "n"
            elif line and not line.startswith("#"):
                raise KernelError(
                    f'{fragment}:{number}: "{line}" is no config line; write CONFIG_X=y or # CONFIG_X is not set'
                )
    return wanted


def lines(wanted: dict[str, str]) -> list[str]:
    return [f"{name}={value}" if value != "n" else f"# {name} is not set" for name, value in wanted.items()]


def refused(wanted: dict[str, str], config: Path) -> list[str]:
    """The options that Kconfig did not give us: it drops what lacks a dependency without a word."""
    got = dict(re.findall(r"^(CONFIG_\w+)=(.+)$", config.read_text(encoding="utf-8"), re.MULTILINE))
    return [
        f"{name} (wanted {value}, got {got.get(name, 'n')})"
        for name, value in wanted.items()
        if got.get(name, "n") != value
    ]


def compiler_version() -> str:
    try:
        shown = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise KernelError(
            f"{COMPILER} is not here; run selftests/lab/setup, or as root: apt-get install {COMPILER}"
        ) from error
    return shown.stdout.splitlines()[0]


def key(series: str) -> str:
    parts = (lines(options(series)), compiler_version(), sorted(IDENTITY.items()), HEADERS)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
