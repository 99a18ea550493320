# SPDX-License-Identifier: GPL-2.0-only
"""The picture: what a packet costs, by device, beside the tap's floor."""

from __future__ import annotations

from pathlib import Path

BARS = (
    ("the tap alone", "floor", "split", "#d9d9d9"),
    ("vhost-net, split", "peer", "split", "#8a8a8a"),
    ("Vireo, split", "ours", "split", "#1f6f9f"),
    ("Vireo, packed", "ours", "packed", "#7cb5d8"),
)
TITLES = {"worker": "the worker alone", "whole": "the whole system, less driver and source"}


def plot(boot: dict, about: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    plain = {(row["direction"], row["size"], row["ring"]): row for row in boot["rows"]
             if row["event_idx"] and row["mergeable"]}  # fmt: skip
    sizes = sorted({size for _, size, _ in plain})
    shapes = [(direction, size) for size in sizes for direction in ("tx", "rx")]
    figure, axes = pyplot.subplots(2, len(sizes), figsize=(4.2 * len(sizes), 6.4), squeeze=False)
    width = 0.84 / len(BARS)
    for axis_row, name in zip(axes, TITLES):
        for axis, size in zip(axis_row, sizes):
            here = [shape for shape in shapes if shape[1] == size]
            for b, (label, field, ring, colour) in enumerate(BARS):
                values = [plain[(*shape, ring)][name][field] for shape in here]
                at = [i + (b - (len(BARS) - 1) / 2) * width for i in range(len(here))]
                axis.bar(at, values, width * 0.94, label=label, color=colour)
                for x, value in zip(at, values):
                    axis.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=6.5)
            axis.set_xticks(range(len(here)), [direction.upper() for direction, _ in here])
            axis.set_title(f"{size} bytes: {TITLES[name]}", fontsize=9)
            axis.grid(axis="y", color="#e4e4e4", linewidth=0.7)
            axis.set_axisbelow(True)
        axis_row[0].set_ylabel("instructions for a packet")
    figure.suptitle("vhost-net devices at full load", fontsize=12, x=0.01, ha="left", weight="bold")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.005, 0.955), ncol=len(BARS), frameon=False)
    figure.text(0.012, 0.012,
                "Event index and mergeable buffers on. One CPU under QEMU's icount: an instruction is a nanosecond, "
                f"caches are not modelled.\nLinux {about['release']}, mitigations {boot['mitigations']}, "
                f"commit {about['commit']}",
                fontsize=7.5, color="#555555")  # fmt: skip
    figure.tight_layout(rect=(0, 0.05, 1, 0.93))
    figure.savefig(path, dpi=130)
