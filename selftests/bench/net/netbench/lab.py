# SPDX-License-Identifier: GPL-2.0-only
"""Builds what runs in the lab, boots it, and collects what the driver program says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .cells import Cell

NET = Path(__file__).resolve().parent.parent
TOP = NET.parent.parent.parent
LAB = TOP / "selftests/lab"

# Debian's defaults, or none. Their names in figures.
MITIGATIONS = {"off": "mitigations=off", "on": ""}


class BenchError(Exception):
    """What went wrong, in words for who started the benchmark."""


def build_programs(out: Path, *targets: str) -> Path:
    """Optimised as it is always, so that figures are of one program. Returns the build's directory."""
    build = TOP / "build/bench/build"
    _logged(out / "build.log", "cmake", "-S", TOP, "-B", build, "-G", "Ninja",
            "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "--log-level=WARNING")  # fmt: skip
    _logged(out / "build.log", "cmake", "--build", build, "--target", *targets)
    return build


def build_modules(kernel: str, out: Path) -> None:
    _logged(out / "modules.log", TOP / "kernel/build", kernel)


def _logged(log: Path, *command) -> None:
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.stderr.writelines(log.read_text().splitlines(keepends=True)[-30:])
        raise BenchError(f"{Path(command[0]).name} failed; the whole of what it said is in {log}")


def run(kernel: str, mitigations: str, driver: Path, cells: list[Cell], out: Path, qemu: str = "",
        after: str = "", inside: Path = NET / "inside") -> list[dict]:  # fmt: skip
    """The answers to the cells, in their order. The shell command after them, if any, runs in the lab too."""
    out.mkdir(parents=True, exist_ok=True)
    table = out / "cells"
    table.write_text("".join(f"{cell.arguments()}\n" for cell in cells))
    command = [LAB / "run", "--kernel", kernel, "--icount", "--smp", "1", "--timeout", "1500", "--out", out,
               "--no-kmemleak", f"--append={MITIGATIONS[mitigations]}"]  # fmt: skip
    if qemu:
        command.append(f"--qemu={qemu}")
    script = f'"{inside}" "{driver}" "{table}"'
    if after:
        script += f"; status=$?; {after}; exit $status"
    with open(out / "answers", "w", encoding="utf-8") as file:
        done = subprocess.run([*command, "--", "bash", "-c", script],
                              stdin=subprocess.DEVNULL, stdout=file, check=False)  # fmt: skip
    answers = []
    for line in (out / "answers").read_text().splitlines():
        try:
            answers.append(json.loads(line))
        except ValueError as error:
            raise BenchError(f"{out}/answers has a line that is not JSON: {line!r}") from error
    if failed := [answer["failed"] for answer in answers if "failed" in answer]:
        raise BenchError(f"{len(failed)} of {len(cells)} runs failed, the first with: {failed[0]}")
    if done.returncode:
        raise BenchError(f"the lab ended with status {done.returncode}; its console is in {out}/console.log")
    if len(answers) != len(cells):
        raise BenchError(f"{len(cells)} runs, but {len(answers)} answers in {out}/answers")
    return answers
