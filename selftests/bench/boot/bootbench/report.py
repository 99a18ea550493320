# SPDX-License-Identifier: GPL-2.0-only
"""The figures as tables, for a terminal or as markdown, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from netbench import report as tables

from .machines import NAMES, OURS

MOST_RESIDENT = 5 << 20  # bytes of the VMM, beside its guest's
MOST_ANONYMOUS = 1 << 20
MAPPINGS_SHOWN = 12


def instructions(result: dict, kind: str, name: str) -> float:
    """In billions: the median of the rounds."""
    return median(boot["instructions"] for boot in result["boots"][kind][name]) / 1e9


def verdict(result: dict) -> list[dict]:
    """Each goal, and whether it is met."""
    goals = []
    for kind in result["boots"]:
        ours = instructions(result, kind, OURS)
        for name in NAMES:
            if name != OURS:
                peer = instructions(result, kind, name)
                goals.append({"goal": f"{kind}: fewer instructions than {name}",
                              "found": f"{ours / peer:.2f} of them", "good": ours < peer})  # fmt: skip
    memory = result["memory"][OURS]
    for what, most in (("resident", MOST_RESIDENT), ("anonymous", MOST_ANONYMOUS)):
        goals.append({"goal": f"{what} memory beside the guest's at most {most >> 20} MiB",
                      "found": f"{memory[what] / (1 << 20):.2f} MiB", "good": memory[what] <= most})  # fmt: skip
    return goals


def boot_table(result: dict) -> list[list[str]]:
    kinds = list(result["boots"])
    lines = [["", *(f"{kind}, billion" for kind in kinds), *(f"{kind}, of {OURS}'s" for kind in kinds)]]
    for name in NAMES:
        figures = [instructions(result, kind, name) for kind in kinds]
        ratios = [f"{figure / instructions(result, kind, OURS):.2f}" for figure, kind in zip(figures, kinds)]
        spreads = []
        for kind, figure in zip(kinds, figures):
            counts = [boot["instructions"] / 1e9 for boot in result["boots"][kind][name]]
            spread = f" ({min(counts):.3f} to {max(counts):.3f})" if len(counts) > 1 else ""
            spreads.append(f"{figure:.3f}{spread}")
        lines.append([name, *spreads, *ratios])
    return lines


def memory_table(result: dict) -> list[list[str]]:
    lines = [["", "resident, KiB", "anonymous, KiB"]]
    for name, found in result["memory"].items():
        lines.append([name, f"{found['resident'] >> 10}", f"{found['anonymous'] >> 10}"])
    return lines


def mapping_table(result: dict) -> list[list[str]]:
    """Of ours alone: which files, and which memory of its own, is resident."""
    by_name: dict[str, list[int]] = {}
    for each in result["memory"][OURS]["mappings"]:
        if not each["name"].startswith("/memfd:"):
            name = each["name"].rsplit("/")[-1] or "(anonymous)"
            sums = by_name.setdefault(name, [0, 0])
            sums[0] += each["rss"]
            sums[1] += each["anonymous"]
    lines = [["mapping", "resident, KiB", "anonymous, KiB"]]
    most = sorted(by_name.items(), key=lambda each: -each[1][0])[:MAPPINGS_SHOWN]
    return lines + [[name, f"{rss >> 10}", f"{anonymous >> 10}"] for name, (rss, anonymous) in most]


def goal_table(result: dict) -> list[list[str]]:
    goals = result["verdict"]
    return [["goal", "found", "goal met"], *([g["goal"], g["found"], "yes" if g["good"] else "no"] for g in goals)]


def _all(result: dict, table: Callable[[list[list[str]]], str], heading: str) -> str:
    sections = {
        "Instructions from the VMM's start to the guest's first line": boot_table,
        "Memory beside the guest's": memory_table,
        f"What {OURS} has in memory": mapping_table,
        "Goals": goal_table,
    }
    source = "; ".join(f"{name}: {value}" for name, value in result["about"].items())
    return "".join(f"{heading}{name}\n\n{table(make(result))}\n" for name, make in sections.items()) + f"{source}\n"


def markdown(result: dict) -> str:
    return _all(result, tables.markdown, "### ")


def text(result: dict) -> str:
    return _all(result, tables.text, "")
