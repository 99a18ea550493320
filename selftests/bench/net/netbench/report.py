# SPDX-License-Identifier: GPL-2.0-only
"""The figures as a table, for a terminal or as markdown; the verdict in a line."""

from __future__ import annotations

NAMES = {"off": "without mitigations", "on": "with Debian's default mitigations"}


def _shape(row: dict) -> list[str]:
    return [
        row["direction"].upper(),
        str(row["size"]),
        row["ring"],
        "on" if row["event_idx"] else "off",
        "on" if row["mergeable"] else "off",
    ]


def _judged(figure: dict) -> list[str]:
    good = "yes" if figure["good"] else f"no, at most {figure['most']:.0f}"
    return [
        f"{figure['peer']:.0f}",
        f"{figure['ours']:.0f}",
        f"{figure['ratio']:.3f}",
        f"{figure['floor']:.0f}",
        f"{figure['above_floor']:.2f}",
        good,
    ]


HEAD = ["", "frame", "ring", "event index", "mergeable"]
FIGURE_HEAD = ["vhost-net", "Vireo", "ratio", "floor", "above it", "goal met"]


def cost_table(rows: list[dict], figure: str) -> list[list[str]]:
    """One figure, "worker" or "whole", of all cells."""
    return [HEAD + FIGURE_HEAD, *(_shape(row) + _judged(row[figure]) for row in rows)]


def event_table(rows: list[dict]) -> list[list[str]]:
    """For a thousand packets at full load: what both did."""
    names = [f"{device} {event}" for event in ("kicks", "calls", "wake-ups") for device in ("vhost-net", "Vireo")]
    table = [HEAD + names]
    for row in rows:
        cells = []
        for event in ("kicks", "calls", "wakeups"):
            cells += [f"{1000 * row[side][event]:.1f}" for side in ("peer_per_packet", "ours_per_packet")]
        table.append(_shape(row) + cells)
    return table


def single_table(singles: list[dict]) -> list[list[str]]:
    """One frame at a time."""
    table = [["", "device", "ring", "kick to tap", "tap to call", "worker", "kicks", "calls", "wake-ups"]]
    for row in singles:
        kick_to_tap = f"{row['kick_to_tap']:.0f}" if "kick_to_tap" in row else "-"
        events = [f"{row[name]:.2f}" for name in ("kicks", "calls", "wakeups")]
        table.append([row["direction"].upper(), row["device"].removeprefix("/dev/"), row["ring"], kick_to_tap,
                      f"{row['tap_to_call']:.0f}", f"{row['worker']:.0f}", *events])  # fmt: skip
    return table


def markdown(table: list[list[str]]) -> str:
    head, *rows = table
    rule = ["---" if not name or name in ("ring", "device", "goal met") else "---:" for name in head]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rows]) + "\n"


def text(table: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in table) + "\n"


def sections(result: dict) -> list[tuple[str, list[list[str]]]]:
    """Heading and table, in the order of a report."""
    found = []
    for boot in result["boots"]:
        name = NAMES[boot["mitigations"]]
        found.append((f"Instructions for a packet, the worker alone, {name}", cost_table(boot["rows"], "worker")))
        found.append((f"Instructions for a packet, the whole system, {name}", cost_table(boot["rows"], "whole")))
        found.append((f"Notifications and wake-ups for a thousand packets, {name}", event_table(boot["rows"])))
        if boot["single"]:
            found.append((f"One packet at a time, instructions and events, {name}", single_table(boot["single"])))
    return found


def verdict(result: dict) -> str:
    figures = [row[name] for boot in result["boots"] for row in boot["rows"] for name in ("worker", "whole")]
    good = sum(figure["good"] for figure in figures)
    above = sum(figure["ratio"] > 1 for figure in figures)
    return f"{good} of {len(figures)} figures meet their goal; {above} are above vhost-net's"
