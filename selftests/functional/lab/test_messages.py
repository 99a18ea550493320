# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes are told in one sentence, with the status that --help names; no boot is needed."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from runlab import RUN
from vlab import cli, errors


def run(*argv, **kwargs):
    return subprocess.run([RUN, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **kwargs)


@pytest.mark.parametrize("argv, status, words", [
    (["--kernel", "6.2", "--", "true"], 125,
     'kernel "6.2": unknown; known are 6.1, 6.12, debug, debug-6.12'),
    ([], 125, "CMD is missing"),
    (["--"], 125, "CMD is missing"),
    (["--", "no-such-program"], 127, "no-such-program: not found"),
    (["--", "/no/such/program"], 127, "/no/such/program: not found"),
    (["--", "/etc/passwd"], 126, "/etc/passwd: not executable"),
    (["--mem", "much", "--", "true"], 125, '--mem "much": not a size'),
    (["--mem", "64", "--", "true"], 125, "at least 256 MiB"),
    (["--smp", "0", "--", "true"], 125, "at least one CPU"),
    (["--smp", "2", "--icount", "--", "true"], 125, "--icount counts the instructions of one CPU"),
    (["--accel", "kvm", "--icount", "--", "true"], 125, "--icount needs emulation"),
    (["--timeout", "-1", "--", "true"], 125, "--timeout -1: not a positive number"),
    (["--out", "/proc/none", "--", "true"], 125, "--out /proc/none: cannot be created"),
    (["--wrong", "--", "true"], 125, "--wrong"),
    (["--shell"], 125, "--shell needs a terminal"),
])
def test_a_mistake_is_named(argv, status, words):
    done = run(*argv)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("lab: ")
    assert done.stderr.count("\n") == 1, "one sentence"
    assert done.stdout == ""


def test_without_qemu_the_package_is_named(tmp_path):
    done = run("--", "true", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 125
    assert "Debian package qemu-system-x86" in done.stderr
    assert "make setup" in done.stderr


def test_a_full_out_directory_is_told(tmp_path, monkeypatch, capfd):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)  # those of the tests stay
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, 1 << 30, 5 << 20))
    assert cli.main(["--out", str(tmp_path), "--", "true"]) == errors.CANNOT_START
    assert "only 5 MiB free" in capfd.readouterr().err


def test_help_names_every_status_of_the_labs_own():
    done = run("--help")
    assert done.returncode == 0
    for name, value in vars(errors).items():
        if name.isupper():
            assert f"\n  {value}  " in done.stdout, name


def test_the_run_is_debians_python():
    assert RUN.read_text().startswith("#!/usr/bin/python3\n")
    assert sys.version_info >= (3, 11)
