# SPDX-License-Identifier: GPL-2.0-only
"""Asks apt for packages without installing them: neither needs root."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from .store import KernelError, kernels

C_LOCALE = {**os.environ, "LC_ALL": "C"}


class Package(NamedTuple):
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=cwd, env=C_LOCALE, text=True, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise KernelError(
            f"{command[0]} is not here, so this is no Debian; the lab's kernels are Debian's packages: use a Debian 12"
        ) from error


def depends(package: Package) -> list[Package]:
    """The packages it depends on, first alternatives only, the version filled in where it is pinned."""
    shown = run("apt-cache", "show", "--no-all-versions", str(package))
    line = re.search(r"^Depends: (.*)$", shown.stdout, re.MULTILINE)
    if shown.returncode or not line:
        raise KernelError(
            f"apt knows no package {package.name}; as root run: apt-get update   "
            "(kernel 6.12 is in Debian 12's security archive: see that /etc/apt has bookworm-security)"
        )
    found = []
    for one in line.group(1).split(","):
        part = re.match(r"\s*([a-z0-9.+-]+)(?:\s*\(= ([^)]+)\))?", one)
        if part:
            found.append(Package(part.group(1), part.group(2) or ""))
    return found


def download(packages: list[Package], into: Path) -> list[Path]:
    # As root, apt would become a user who may not be able to write here, and warn about it.
    options = ("-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3")
    got = run("apt-get", "download", *options, *map(str, packages), cwd=into)
    files = sorted(into.glob("*.deb"))
    if got.returncode or len(files) != len(packages):
        raise KernelError(explain(got.stderr, packages))
    return files


def explain(errors: str, packages: list[Package]) -> str:
    names = " ".join(package.name for package in packages)
    lines = [line[3:] for line in errors.splitlines() if line.startswith("E: ")]
    first = lines[0] if lines else "no reason given"
    if "404" in first or "Unable to locate" in first or "was not found" in first:
        return (
            f"apt could not download {names}: {first}; its lists are old: as root run apt-get update, "
            "then selftests/lab/kernel update"
        )
    return (
        f"apt could not download {names}: {first}; connect this machine to the network, "
        f"or copy {kernels()} from a machine that has them"
    )


def unpack(files: list[Path], into: Path) -> None:
    for file in files:
        done = run("dpkg", "-x", str(file), str(into))
        if done.returncode:
            reason = done.stderr.strip() or "dpkg gave no reason"
            raise KernelError(f"could not unpack {file.name} into {into}: {reason}; see that the disk is not full")
        file.unlink()


def installed_version(package: str) -> str:
    """Its version if it is installed, else an empty string."""
    shown = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package)
    status, _, version = shown.stdout.partition(" ")
    return version if status == "installed" else ""
