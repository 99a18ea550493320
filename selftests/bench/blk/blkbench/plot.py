# SPDX-License-Identifier: GPL-2.0-only
"""The picture: what a request costs on each path."""

from __future__ import annotations

from pathlib import Path

from .cells import KERNEL, RAW, USERSPACE
from .report import load_name

COLOURS = {
    **dict(zip(RAW, ("#bdbdbd", "#d9d9d9", "#9a9a9a"))),
    **dict(zip(KERNEL, ("#1f6f9f", "#7cb5d8"))),
    **dict(zip(USERSPACE, ("#c8703a", "#e2a57f", "#6f8f4f", "#a9c08e"))),
}


def plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = pyplot.subplots(1, len(result["rows"]), figsize=(3.4 * len(result["rows"]), 4.6), squeeze=False)
    names = list(COLOURS)
    for axis, row in zip(axes[0], result["rows"]):
        values = [row["cost"][name] for name in names]
        axis.bar(range(len(names)), values, 0.86, color=[COLOURS[name] for name in names])
        for x, value in enumerate(values):
            axis.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=6.5)
        axis.set_xticks([])
        axis.set_title(load_name(row), fontsize=9)
        axis.grid(axis="y", color="#e4e4e4", linewidth=0.7)
        axis.set_axisbelow(True)
    axes[0][0].set_ylabel("instructions for a request")
    figure.suptitle("4 KiB of a RAM-backed null_blk, by path", fontsize=12, x=0.01, ha="left", weight="bold")
    figure.legend([pyplot.Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in names], names, loc="upper left",
                  bbox_to_anchor=(0.005, 0.95), ncol=5, frameon=False, fontsize=8)  # fmt: skip
    about = result["about"]
    figure.text(0.012, 0.012,
                "One CPU under QEMU's icount: an instruction is a nanosecond, caches are not modelled. "
                "Of virtio paths the driver's own half is taken off.\n"
                f"Linux {about['release']}, mitigations {about['mitigations']}, commit {about['commit']}",
                fontsize=7.5, color="#555555")  # fmt: skip
    figure.tight_layout(rect=(0, 0.06, 1, 0.87))
    figure.savefig(path, dpi=130)
