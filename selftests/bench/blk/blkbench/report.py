# SPDX-License-Identifier: GPL-2.0-only
"""The figures as tables, and the verdict in a line."""

from __future__ import annotations

from .cells import KERNEL, RAW, USERSPACE


def load_name(row: dict) -> str:
    return f"{row['op']}, QD{row['depth']}"


def cost_table(rows: list[dict]) -> list[list[str]]:
    """A line for each path, a column for each load."""
    table = [["path", *(load_name(row) for row in rows)]]
    for name in RAW | KERNEL | USERSPACE:
        table.append([name, *(f"{row['cost'][name]:.0f}" for row in rows)])
    return table


def verdict_table(verdicts: list[dict]) -> list[list[str]]:
    table = [["load", "vhost-blk", "beside", "", "ratio", "at most", "goal met"]]
    for each in verdicts:
        table.append([load_name(each), f"{each['ours']:.0f}", each["whose"], f"{each['theirs']:.0f}",
                      f"{each['ratio']:.2f}", f"{each['most']:.2f}", "yes" if each["good"] else "no"])  # fmt: skip
    return table


def event_table(rows: list[dict]) -> list[list[str]]:
    """Kicks and calls for a request."""
    table = [["path", *(f"{load_name(row)}: {event}" for row in rows for event in ("kicks", "calls"))]]
    for name in KERNEL | USERSPACE:
        table.append([name, *(f"{row['events'][name][event]:.2f}" for row in rows for event in ("kicks", "calls"))])
    return table


def sections(result: dict) -> list[tuple[str, list[list[str]]]]:
    return [
        ("Instructions for a request of 4 KiB", cost_table(result["rows"])),
        ("vhost-blk beside io_uring, and beside the best path through a process", verdict_table(result["verdicts"])),
        ("Kicks and calls for a request", event_table(result["rows"])),
    ]


def verdict(result: dict) -> str:
    good = sum(each["good"] for each in result["verdicts"])
    return f"{good} of {len(result['verdicts'])} figures meet their goal"
