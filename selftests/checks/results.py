# SPDX-License-Identifier: GPL-2.0-only
"""What a tier's tests said: counts and failures, read from JUnit XML, from TAP, or from an exit status alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

# The exit status with which a kernel selftest says that it was skipped.
KSELFTEST_SKIP = 4


@dataclass
class Results:
    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)  # one line a failed test
    skips: list[str] = field(default_factory=list)  # one line a skipped test: its name and why

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def ran(self) -> int:
        return self.passed + self.failed

    def fail(self, what: str) -> None:
        self.failures.append(what)

    def skip(self, what: str) -> None:
        self.skipped += 1
        self.skips.append(what)

    def add(self, other: Results) -> None:
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def first_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0].strip() if lines else ""


def read_junit(path: Path) -> Results:
    results = Results()
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        results.fail(f"{path.name}: not readable as JUnit XML: {error}")
        return results
    for case in root.iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        bad = [child for child in case if child.tag in ("failure", "error")]
        skip = case.find("skipped")
        if bad:
            results.fail(f"{name}: {first_line(bad[0].get('message') or bad[0].text)}")
        elif skip is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
            why = skip.get("message") or skip.text if skip is not None else ""
            results.skip(f"{name}: {first_line(why) or 'no reason given'}")
        else:
            results.passed += 1
    return results


TAP_LINE = re.compile(
    r"^(?P<indent>\s*)(?P<verdict>ok|not ok)\b\s*(?P<number>\d+)?\s*(?:- )?(?P<name>[^#]*)(?:#\s*(?P<note>.*))?$"
)
TAP_PLAN = re.compile(r"^(?P<indent>\s*)1\.\.(?P<count>\d+)\s*(?:#\s*(?P<note>.*))?$")
# What the kernel's console puts before a line, with or without a log level.
CONSOLE = re.compile(r"^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")


def read_tap(text: str) -> Results:
    """Counts the innermost results. In nested output (KTAP, KUnit) a line below more deeply indented results sums them
    up: it counts only when it says "not ok" and nothing below it did."""
    results = Results()
    depths: list[int] = []  # indentation of the results that no summary has covered yet
    failed_at: list[int] = []  # the same, of those that failed
    plans: dict[int, int] = {}  # announced at an indentation, and not yet seen
    for raw in text.splitlines():
        line = CONSOLE.sub("", raw.rstrip())
        if line.lstrip().startswith("Bail out!"):
            results.fail(line.strip())
            continue
        if plan := TAP_PLAN.match(line):
            indent = len(plan["indent"])
            if plans.get(indent, 0) > 0:
                results.fail(f"TAP: {plans[indent]} announced tests had no result")
            plans[indent] = int(plan["count"]) - sum(1 for d in depths if d == indent)
            if plan["count"] == "0" and (plan["note"] or "").upper().startswith("SKIP"):
                results.skip(plan["note"] or "skipped")
            continue
        match = TAP_LINE.match(line)
        if not match:
            continue
        indent = len(match["indent"])
        name = match["name"].strip() or f"test {match['number']}"
        note = (match["note"] or "").strip()
        good = match["verdict"] == "ok"
        for deeper in [d for d in plans if d > indent]:
            if missing := plans.pop(deeper):
                results.fail(f"{name}: {missing} announced tests had no result" if missing > 0
                             else f"{name}: {-missing} more results than announced")
        below = any(d > indent for d in depths)
        below_failed = any(d > indent for d in failed_at)
        depths = [d for d in depths if d <= indent] + [indent]
        failed_at = [d for d in failed_at if d <= indent]
        if indent in plans:
            plans[indent] -= 1
        if not good:
            failed_at.append(indent)
        if below:
            if not good and not below_failed:
                results.fail(name)
        elif note.upper().startswith("SKIP"):
            results.skip(f"{name}: {note[4:].strip(' :-') or 'no reason given'}")
        elif good:
            results.passed += 1
        else:
            results.fail(f"{name}{': ' + note if note else ''}")
    for missing in plans.values():
        if missing:
            results.fail(f"TAP: {missing} announced tests had no result" if missing > 0
                         else f"TAP: {-missing} more results than announced")
    return results


def skip_reason(text: str) -> str | None:
    """The reason in a line "SKIP: reason", by which a tier says that it cannot run here."""
    match = re.search(r"^SKIP: *(\S.*)$", text, re.MULTILINE)
    return match[1] if match else None


def judge(kind: str, tier: str, directory: Path, log: str, status: int) -> Results:
    """All that a tier says. A status other than 0 is a failure even if every test passed; so are no tests at all."""
    results = Results()
    if kind == "junit":
        for path in sorted(directory.glob("*.xml")):
            results.add(read_junit(path))
    elif kind == "tap":
        results = read_tap(log)
    elif kind == "status":
        if status == 0 and not skip_reason(log):
            results.passed = 1
    else:
        raise ValueError(f"tier {tier}: unknown kind of results {kind!r}")

    if status < 0:
        results.fail(f"{tier}: ended by signal {-status}")
    elif status == KSELFTEST_SKIP and kind == "tap" and results.skipped and not results.ran:
        pass
    elif status != 0 and not results.failed:
        results.fail(f"{tier}: exit status {status}")
    if not results.ran and not results.skipped:
        reason = skip_reason(log)
        if reason:
            results.skip(f"{tier}: {reason}")
        else:
            results.fail(f"{tier}: ran no test")
    return results
