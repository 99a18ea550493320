# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on a boot's figures, and what counts as memory of the VMM's own."""

import copy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE), str(HERE.parent / "net"), str(HERE.parents[1] / "lab")]

from bootbench import memory, report  # noqa: E402

SMAPS = """\
555500000000-555500010000 r-xp 00000000 00:01 7      /usr/bin/vireo
Size:                 64 kB
Rss:                  60 kB
Anonymous:             0 kB
7f0000000000-7f0010000000 rw-s 00000000 00:01 8      /memfd:guest-memory (deleted)
Rss:              100000 kB
Anonymous:             0 kB
7f1000000000-7f1000021000 rw-p 00000000 00:00 0
Rss:                  12 kB
Anonymous:             8 kB
7f2000000000-7f2010000000 rw-p 00000000 00:00 0
Rss:               90000 kB
Anonymous:         90000 kB
"""

RESULT = {
    "boots": {"vmlinux": {name: [{"instructions": count}] for name, count in
                          (("vireo", 7e8), ("QEMU q35", 9e8), ("QEMU microvm", 19e8))}},
    "memory": {"vireo": {"resident": 4 << 20, "anonymous": 1 << 19, "mappings": []}},
}  # fmt: skip


def good(result: dict) -> list[bool]:
    return [goal["good"] for goal in report.verdict(result)]


def test_all_goals_met():
    assert good(RESULT) == [True] * 4


@pytest.mark.parametrize("name, goal", [("QEMU q35", 0), ("QEMU microvm", 1)])
def test_a_quicker_peer_is_a_missed_goal(name, goal):
    result = copy.deepcopy(RESULT)
    result["boots"]["vmlinux"][name] = [{"instructions": 7e8}]
    assert good(result) == [number != goal for number in range(4)]


@pytest.mark.parametrize("what, goal", [("resident", 2), ("anonymous", 3)])
def test_a_byte_too_many_is_a_missed_goal(what, goal):
    result = copy.deepcopy(RESULT)
    result["memory"]["vireo"][what] = (5 << 20 if what == "resident" else 1 << 20) + 1
    assert good(result) == [number != goal for number in range(4)]


def test_guest_memory_is_left_out():
    assert memory.beyond(memory.parse(SMAPS), 256 << 20) == {"resident": 72 << 10, "anonymous": 8 << 10}
