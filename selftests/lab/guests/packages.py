# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages as files: fetched without installing them, and kept, so that a second run needs no network."""

import os
import subprocess
import tempfile
from pathlib import Path

from .errors import GuestError, say


def listed(file: Path) -> list[str]:
    """The words of a list, one a line, without its comments."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="ascii").splitlines())
    return [line for line in lines if line]


def fetch(names: list[str], into: Path) -> None:
    """Download the packages into a directory that appears only when all are there."""
    say(f"fetching {len(names)} packages for the guest's initrd")
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".new-") as scratch:
        # As root, apt would drop to a user who cannot write here, and warn.
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", *names]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(command, cwd=scratch, env=environment, text=True, capture_output=True, check=False)
        except FileNotFoundError:
            raise GuestError("apt-get is not here, so this is no Debian: guests are made of its packages") from None
        if done.returncode:
            errors = [line[3:] for line in done.stderr.splitlines() if line.startswith("E: ")]
            raise GuestError(
                f"apt could not download the initrd's packages: {errors[0] if errors else 'no reason given'}; "
                "connect this machine to the network, and if apt's lists are old run apt-get update as root"
            )
        os.chmod(scratch, 0o755)
        os.rename(scratch, into)
        os.mkdir(scratch)  # for TemporaryDirectory to remove


def unpack(debs: Path, into: Path) -> None:
    for deb in sorted(debs.glob("*.deb")):
        done = subprocess.run(["dpkg", "-x", str(deb), str(into)], text=True, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise GuestError(f"could not unpack {deb}: {done.stderr.strip()}; remove {debs} and try again")
