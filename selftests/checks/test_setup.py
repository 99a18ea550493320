# SPDX-License-Identifier: GPL-2.0-only
"""Tests of selftests/lab/setup against stand-ins for dpkg-query, apt-get and sudo: what it asks for, what it says."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "lab" / "setup"
# What the script itself needs; nothing else of the machine is on its PATH, least of all the real apt-get.
TOOLS = ("bash", "sed", "sort", "comm", "dirname", "readlink", "env", "tail", "grep", "rm", "cat", "mktemp")
NOBODY = 65534


class Machine:
    """A machine with the packages in "installed", on which apt-get does as "apt" says."""

    def __init__(self, top: Path, packages: str, installed: str, apt: str):
        self.top = top
        self.bin = top / "bin"
        self.bin.mkdir()
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name))
        shutil.copy(SETUP, top / "setup")
        (top / "packages").write_text(packages)
        (top / "installed").write_text("".join(f"installed {name}\n" for name in installed.split()))
        self.program("dpkg-query", f"cat {top}/installed")
        self.program("apt-get", f'echo "$*" >>{top}/asked; cd {top}; {apt}')
        for path in (top, top / "installed", self.bin):
            path.chmod(0o777)

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def setup(self, *arguments: str, user: int | None = None):
        return subprocess.run(
            [self.top / "setup", *arguments],
            env={"PATH": str(self.bin), "TMPDIR": str(self.top)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=user,
        )

    def asked(self) -> str:
        file = self.top / "asked"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def machine():
    with tempfile.TemporaryDirectory() as directory:  # pytest's own are closed to other users
        yield lambda **kind: Machine(Path(directory), "# a comment\none\ntwo  # for two things\n\n", **kind)


INSTALL = 'case "$*" in *" install "*) echo installed two >>installed;; esac'


def root_only():
    if os.geteuid() != 0:
        pytest.skip("needs root to be root, and to be nobody")


def test_with_nothing_missing_it_asks_for_nothing(machine):
    here = machine(installed="one two three", apt="exit 1")
    done = here.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert here.asked() == ""


def test_what_is_missing_is_installed(machine):
    root_only()
    here = machine(installed="one", apt=INSTALL)
    done = here.setup()
    assert done.returncode == 0, done.stderr
    assert "update" in here.asked() and "--no-install-recommends two" in here.asked()
    assert here.setup().returncode == 0
    assert here.asked().count("update") == 1


def test_missing_lists_and_installs_nothing(machine):
    here = machine(installed="", apt="exit 1")
    assert here.setup("--missing").stdout == "one\ntwo\n"
    assert here.asked() == ""


def test_without_root_and_sudo_it_says_what_to_install(machine):
    root_only()
    here = machine(installed="one", apt=INSTALL)
    done = here.setup(user=NOBODY)
    assert done.returncode == 1
    assert done.stderr.endswith("as root: apt-get install two\n")


def test_sudo_is_used(machine):
    root_only()
    here = machine(installed="one", apt=INSTALL)
    here.program("sudo", 'exec "$@"')
    assert here.setup(user=NOBODY).returncode == 0
    assert "install" in here.asked()


FAILURES = {
    "network": ("Err: Temporary failure resolving 'mirror'", "the Debian mirror cannot be reached"),
    "space": ("E: You don't have enough free space in /var/cache/apt/archives/", "the disk is full"),
    "package": ("E: Unable to locate package two", "to see it happen: apt-get install two"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_says_what_to_do(machine, kind):
    root_only()
    output, advice = FAILURES[kind]
    here = machine(installed="one", apt=f'echo "{output}"; exit 100')
    done = here.setup()
    assert done.returncode == 1
    assert output in done.stderr
    assert advice in done.stderr.splitlines()[-1]


def test_an_installation_that_installs_nothing_is_a_failure(machine):
    root_only()
    here = machine(installed="one", apt="exit 0")
    done = here.setup()
    assert done.returncode == 1
    assert "still missing after the installation: two" in done.stderr


def test_where_there_is_no_dpkg_it_says_so(machine):
    here = machine(installed="one", apt=INSTALL)
    (here.bin / "dpkg-query").unlink()
    done = here.setup()
    assert done.returncode == 1
    assert "this is no Debian" in done.stderr
