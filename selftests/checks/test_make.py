# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the front door: its table of contents is whole, and what it hands on to is there."""

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MAKEFILE = (TOP / "Makefile").read_text()


def make(*arguments: str):
    return subprocess.run(["make", "-C", TOP, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def targets() -> set[str]:
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1]
    return set(phony.replace("\\\n", " ").split())


def test_make_alone_is_help():
    assert make().stdout == make("help").stdout


def test_help_names_every_target():
    assert set(re.findall(r"^  make ([a-z-]+) ", make("help").stdout, re.MULTILINE)) == targets()


def test_every_program_that_it_calls_is_there():
    called = set(re.findall(r"(?:kernel|selftests)/[\w./-]+", MAKEFILE))
    assert called and [name for name in called if not (TOP / name).exists()] == []


def test_another_kernel_is_refused_with_the_known_ones():
    for target in ("modules", "lab"):
        done = make(target, "KVER=6.2")
        assert done.returncode != 0, target
        assert '"6.2": unknown; known are 6.1, 6.12, debug, debug-6.12' in done.stderr, target


def test_another_target_is_refused():
    done = make("nonsense")
    assert done.returncode != 0 and "nonsense" in done.stderr
