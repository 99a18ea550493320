# SPDX-License-Identifier: GPL-2.0-only
"""Runs tiers: as many side by side as the cores allow, each with a log, a limit, and a verdict."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from .results import Results, judge
from .tiers import Tier

TAIL_LINES = 40
ENDING = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 20  # between asking a tier to end and ending it


@dataclass
class Outcome:
    tier: Tier
    results: Results
    seconds: float
    cpu_seconds: float = 0.0  # of all that it started and waited for


@dataclass
class Running:
    tier: Tier
    process: subprocess.Popen
    log: Path
    results_dir: Path
    lock: TextIO
    started: float = field(default_factory=time.monotonic)
    asked_to_end: float | None = None


def signal_group(process: subprocess.Popen, number: int) -> None:
    # Each tier leads a session of its own, so that what it started goes with it.
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


@contextmanager
def signals_later() -> Iterator[None]:
    """What asks us to end comes when the block is done: until then nobody would know of a process that it started."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def ended(process: subprocess.Popen) -> tuple[int, float] | None:
    """The exit status and the seconds of CPU, once it has ended."""
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


class Runner:
    def __init__(self, top: Path, level: str, seed: int, cores: int, say: Callable[[str], None] = print):
        self.top = top
        self.logs = top / "build" / "logs"
        self.level = level
        self.seed = seed
        self.cores = cores
        self.say = say
        self.running: list[Running] = []
        self.outcomes: list[Outcome] = []

    def run(self, tiers: list[Tier]) -> list[Outcome]:
        self.logs.mkdir(parents=True, exist_ok=True)
        waiting = list(tiers)
        try:
            while waiting or self.running:
                self.start_what_fits(waiting)
                self.collect()
        finally:
            self.stop_all()
        return self.outcomes

    def start_what_fits(self, waiting: list[Tier]) -> None:
        done = {outcome.tier.name: outcome for outcome in self.outcomes}
        unfinished = {tier.name for tier in waiting} | {each.tier.name for each in self.running}
        for tier in list(waiting):
            broken = [name for name in tier.needs if name in done and not done[name].results.passed]
            if broken:
                waiting.remove(tier)
                outcome = Outcome(tier, Results(), 0.0)
                outcome.results.skip(f"{tier.name}: needs {', '.join(broken)}, which did not pass")
                self.finish(outcome)
            elif not unfinished.intersection(tier.needs):
                free = self.cores - sum(min(each.tier.cores, self.cores) for each in self.running)
                if min(tier.cores, self.cores) <= free:
                    waiting.remove(tier)
                    self.start(tier)

    def start(self, tier: Tier) -> None:
        log = self.logs / f"{tier.name}.log"
        results_dir = self.logs / tier.name
        # Two runs in one checkout share its build directories: the same tier waits for itself.
        lock = open(self.logs / f"{tier.name}.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say(f"  wait   {tier.name}: another run in this checkout has it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(results_dir, ignore_errors=True)
        results_dir.mkdir()
        environment = dict(
            os.environ,
            RESULTS=str(results_dir),
            VIREO_CHECK=self.level,
            VIREO_SEED=str(self.seed),
        )
        with open(log, "wb") as output, signals_later():
            process = subprocess.Popen(
                ["/bin/bash", "-euo", "pipefail", "-c", tier.command],
                cwd=self.top,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.running.append(Running(tier, process, log, results_dir, lock))
        self.say(f"  start  {tier.name:<16} {tier.about}")

    def collect(self) -> None:
        time.sleep(0.05)
        now = time.monotonic()
        for each in list(self.running):
            end = ended(each.process)
            if end is None:
                self.enforce_limit(each, now)
                continue
            status, cpu_seconds = end
            self.running.remove(each)
            signal_group(each.process, signal.SIGKILL)  # whatever it left behind
            each.lock.close()
            results = self.verdict(each, status)
            self.finish(Outcome(each.tier, results, now - each.started, cpu_seconds), each.log)

    def enforce_limit(self, each: Running, now: float) -> None:
        if each.asked_to_end is None and now - each.started > each.tier.limit:
            each.asked_to_end = now
            signal_group(each.process, signal.SIGTERM)
        elif each.asked_to_end is not None and now - each.asked_to_end > GRACE_SECONDS:
            signal_group(each.process, signal.SIGKILL)

    def verdict(self, each: Running, status: int) -> Results:
        text = each.log.read_text(errors="replace")
        results = judge(each.tier.results, each.tier.name, each.results_dir, text, status)
        if each.asked_to_end is not None:
            # Whatever else it said, being stopped is the reason to read first.
            results.failures.insert(0, f"{each.tier.name}: not done within its limit of {each.tier.limit} s, stopped")
        return results

    def finish(self, outcome: Outcome, log: Path | None = None) -> None:
        self.outcomes.append(outcome)
        tier, results = outcome.tier, outcome.results
        word = "FAIL" if results.failed else "ok" if results.passed else "skip"
        self.say(f"  {word:<6} {tier.name:<16} {results.line()}, {outcome.seconds:.1f} s")
        for reason in results.skips[:5]:
            self.say(f"           skipped: {reason}")
        if not results.failed:
            return
        for failure in results.failures[:20]:
            self.say(f"           failed: {failure}")
        if log is not None:
            lines = log.read_text(errors="replace").splitlines()
            self.say(f"         the end of {log.relative_to(self.top)}:")
            for line in lines[-TAIL_LINES:]:
                self.say(f"           | {line}")
        self.say(f"         again: VIREO_SEED={self.seed} selftests/check {self.level} {tier.name}")

    def stop_all(self) -> None:
        """On the way out by an interrupt: nothing that was started stays."""
        for each in self.running:
            signal_group(each.process, signal.SIGTERM)
        for each in self.running:
            try:
                each.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            signal_group(each.process, signal.SIGKILL)


def report(outcomes: list[Outcome], elapsed: float, budget: float | None, logs: str, out: TextIO = sys.stdout) -> int:
    """The table of times, where the logs are, and the one line that counts. Returns the exit status."""
    total = Results()
    print(f"\n  {'tier':<16} {'CPU':>8} {'seconds':>8} {'budget':>7}", file=out)
    for outcome in sorted(outcomes, key=lambda each: -each.seconds):
        over = "  over" if outcome.seconds > outcome.tier.budget else ""
        times = f"{outcome.cpu_seconds:8.1f} {outcome.seconds:8.1f} {outcome.tier.budget:7d}"
        print(f"  {outcome.tier.name:<16} {times}{over}", file=out)
        total.add(outcome.results)
    whole = f"  {'together':<16} {sum(outcome.cpu_seconds for outcome in outcomes):8.1f} {elapsed:8.1f}"
    if budget is not None:
        whole += f" {budget:7.0f}"
        if elapsed > budget:
            whole += "  over: the table shows who used it (builds and downloads of a first run are in it too)"
    print(whole, file=out)
    if not total.ran:
        total.fail("no test ran")
    print(f"\nlogs: {logs}", file=out)
    print(total.line(), file=out)
    return 1 if total.failed else 0
