# SPDX-License-Identifier: GPL-2.0-only
"""The picture: what a boot costs, and what memory it leaves taken, by VMM."""

from __future__ import annotations

from pathlib import Path

from .machines import NAMES
from .report import MOST_RESIDENT, instructions

COLOURS = ("#1f6f9f", "#8a8a8a", "#bdbdbd")


def plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    kinds = list(result["boots"])
    figure, axes = pyplot.subplots(1, len(kinds) + 1, figsize=(3.4 * (len(kinds) + 1), 3.6))
    for axis, kind in zip(axes, kinds):
        _bars(axis, [instructions(result, kind, name) for name in NAMES], f"boot of {kind}", "billion instructions")
    memory = [found["resident"] / (1 << 20) for found in result["memory"].values()]
    _bars(axes[-1], memory, "memory beside the guest's", "MiB resident")
    axes[-1].axhline(MOST_RESIDENT / (1 << 20), color="#b03030", linewidth=0.8)
    figure.suptitle("A guest with one card and one disk", fontsize=12, x=0.01, ha="left", weight="bold")
    figure.text(0.012, 0.012, "One CPU under QEMU's icount: an instruction is a nanosecond, caches are not modelled. "
                f"Linux {result['about']['kernel']}, commit {result['about']['commit']}",
                fontsize=7, color="#555555")  # fmt: skip
    figure.tight_layout(rect=(0, 0.04, 1, 0.97))
    figure.savefig(path, dpi=130)


def _bars(axis, values: list[float], title: str, unit: str) -> None:
    names = NAMES[: len(values)]
    axis.bar(range(len(names)), values, 0.7, color=COLOURS)
    for x, value in enumerate(values):
        axis.text(x, value, f"{value:.2f}", ha="center", va="bottom", fontsize=7.5)
    axis.set_xticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    axis.set_title(title, fontsize=9)
    axis.set_ylabel(unit)
    axis.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axis.set_axisbelow(True)
