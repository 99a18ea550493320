# SPDX-License-Identifier: GPL-2.0-only
"""What a process has in memory, by mapping."""

from __future__ import annotations

import re
from pathlib import Path

HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)")


def mappings(pid: int) -> list[dict]:
    return parse(Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8"))


def parse(smaps: str) -> list[dict]:
    """Name, whole size, and what of it is resident and anonymous, in bytes."""
    found: list[dict] = []
    for line in smaps.splitlines():
        if head := HEAD.fullmatch(line):
            start, end = (int(word, 16) for word in head.groups()[:2])
            found.append({"name": head[3], "size": end - start})
        else:
            field, value, *_ = line.split()
            if field in ("Rss:", "Anonymous:"):
                found[-1][field.rstrip(":").lower()] = int(value) * 1024
    return found


def beyond(found: list[dict], guest: int) -> dict[str, int]:
    """Bytes, all but guest memory: the one mapping of its size, or those of a memory file."""
    ours = [each for each in found if each["size"] < guest and not each["name"].startswith("/memfd:")]
    return {"resident": sum(each["rss"] for each in ours), "anonymous": sum(each["anonymous"] for each in ours)}
