#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes vq.json, a table (vq.md) and a plot (vq.png) of what bench_vq and count_vq measured.

usage: report.py DIR    with raw/time.json, raw/count.log and the dumps raw/count.*"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

LABELS = {
    ("vq", "split"): "Vireo, split",
    ("vq", "packed"): "Vireo, packed",
    ("vringh-kern", "split"): "vringh, split (kern)",
    ("vringh-user", "split"): "vringh, split (user)",
}
COLOURS = {
    ("vq", "split"): "#1f6f9f",
    ("vq", "packed"): "#7cb5d8",
    ("vringh-kern", "split"): "#8a8a8a",
    ("vringh-user", "split"): "#c4c4c4",
}


def fail(message: str) -> None:
    sys.exit(f"bench: {message}")


def instructions(directory: Path) -> dict[str, float]:
    """By shape: instructions for one buffer."""
    # Valgrind's own lines lie between those of the program, and begin with "==".
    buffers = dict(re.findall(r"^(vq\S*/\S+|vringh\S*/\S+) (\d+)$", (directory / "count.log").read_text(), re.M))
    found = {}
    for dump in directory.glob("count.*"):
        if dump.suffix == ".log":
            continue
        text = dump.read_text()
        name = re.search(r"^desc: Trigger: Client Request: (\S+)$", text, re.M)
        total = re.search(r"^totals: (\d+)", text, re.M)
        if name and total:
            found[name[1]] = int(total[1]) / int(buffers[name[1]])
    return found


def nanoseconds(directory: Path) -> dict[str, list[float]]:
    """By shape: nanoseconds for one buffer, of each repetition."""
    found: dict[str, list[float]] = {}
    for run in json.loads((directory / "time.json").read_text())["benchmarks"]:
        if run["run_type"] != "iteration":
            continue
        if run.get("error_occurred"):
            fail(f"{run['name']}: {run['error_message']}")
        name = run["run_name"].removesuffix("/manual_time")
        found.setdefault(name, []).append(run["real_time"] / run["buffers"])
    return found


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def machine() -> dict[str, str]:
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    flags = re.search(r"^flags\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    virtual = ", virtual" if flags and "hypervisor" in flags[1].split() else ""
    return {
        "processor": f"{cpu[1] if cpu else platform.machine()}{virtual}, {os.cpu_count()} CPUs",
        "kernel": platform.release(),
        "compiler": first_line("cc", "--version"),
        "valgrind": first_line("valgrind", "--version"),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def cases(directory: Path) -> list[dict]:
    counted, timed = instructions(directory), nanoseconds(directory)
    if set(counted) != set(timed) or not counted:
        fail(f"counted {len(counted)} shapes and timed {len(timed)}: not the same ones; see {directory}/count.log")
    rows = []
    for name, times in timed.items():
        engine, ring, segments, table, batch = name.split("/")
        rows.append(
            {
                "engine": engine,
                "ring": ring,
                "segments": int(segments),
                "indirect": table == "indirect",
                "batch": int(batch),
                "instructions": round(counted[name], 1),
                "ns_least": round(min(times), 2),
                "ns_quartiles": [round(each, 2) for each in statistics.quantiles(times, method="inclusive")],
                "repetitions": len(times),
            }
        )
    return rows


def markdown(rows: list[dict], about: dict[str, str]) -> str:
    lines = [
        "Instructions, and nanoseconds (median, with quartiles), for each buffer taken off the ring and given back:",
        "",
        "| buffer | batch | " + " | ".join(label for key, label in LABELS.items() if has(rows, key)) + " |",
        "|---|---:|" + "---:|" * sum(has(rows, key) for key in LABELS),
    ]
    for shape in sorted({(r["indirect"], r["segments"], r["batch"]) for r in rows}):
        indirect, segments, batch = shape
        cells = []
        for key in LABELS:
            if has(rows, key):
                row = pick(rows, key, *shape)
                low, median, high = row["ns_quartiles"]
                cells.append(f"**{row['instructions']:.0f}**; {median:.1f} ns ({low:.1f} to {high:.1f})")
        what = f"{segments} segment{'s' if segments > 1 else ''}, {'indirect' if indirect else 'direct'}"
        lines.append(f"| {what} | {batch} | " + " | ".join(cells) + " |")
    lines += ["", "; ".join(f"{name}: {value}" for name, value in about.items())]
    return "\n".join(lines) + "\n"


def has(rows: list[dict], key: tuple[str, str]) -> bool:
    return any((r["engine"], r["ring"]) == key for r in rows)


def pick(rows: list[dict], key: tuple[str, str], indirect: bool, segments: int, batch: int) -> dict:
    return next(
        r
        for r in rows
        if (r["engine"], r["ring"], r["indirect"], r["segments"], r["batch"]) == (*key, indirect, segments, batch)
    )


def plot(rows: list[dict], about: dict[str, str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    keys = [key for key in LABELS if has(rows, key)]
    shapes = sorted({(r["indirect"], r["segments"]) for r in rows})
    batches = sorted({r["batch"] for r in rows})
    figure, axes = pyplot.subplots(2, len(shapes), figsize=(12.5, 6.6), sharey="row")
    width = 0.84 / len(keys)
    for column, (indirect, segments) in enumerate(shapes):
        for axis, timed in zip(axes[:, column], (False, True)):
            for k, key in enumerate(keys):
                chosen = [pick(rows, key, indirect, segments, batch) for batch in batches]
                at = [i + (k - (len(keys) - 1) / 2) * width for i in range(len(batches))]
                values = [row["ns_quartiles"][1] if timed else row["instructions"] for row in chosen]
                axis.bar(at, values, width * 0.94, label=LABELS[key], color=COLOURS[key])
                if timed:
                    quartiles = [row["ns_quartiles"] for row in chosen]
                    spread = [[m - low for low, m, _ in quartiles], [high - m for _, m, high in quartiles]]
                    axis.errorbar(at, values, spread, fmt="none", elinewidth=0.8, ecolor="#333333")
                else:
                    for x, value in zip(at, values):
                        axis.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=6.5)
            axis.set_xticks(range(len(batches)), [str(batch) for batch in batches])
            axis.grid(axis="y", color="#e4e4e4", linewidth=0.7)
            axis.set_axisbelow(True)
        plural = "s" if segments > 1 else ""
        axes[0, column].set_title(f"{segments} segment{plural}, {'indirect' if indirect else 'direct'}", fontsize=10)
        axes[1, column].set_xlabel("buffers in a batch")
    for axis in axes[:, 0]:
        axis.set_ylim(top=axis.get_ylim()[1] * 1.06)  # room for what stands above the highest bar
    axes[0, 0].set_ylabel("instructions per buffer")
    axes[1, 0].set_ylabel("nanoseconds per buffer")
    figure.suptitle(
        "The device's side of a virtqueue: take a buffer off the ring, look at its segments, give it back",
        fontsize=12, x=0.01, ha="left", weight="bold",
    )  # fmt: skip
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.005, 0.955), ncol=len(keys), frameon=False)
    figure.text(
        0.012, 0.012,
        "Ring of 256, one thread, everything cached, no notification due. Instructions: callgrind, exact. "
        f"Nanoseconds: median of {rows[0]['repetitions']} runs, lines between quartiles.\n"
        f"{about['processor']}; Linux {about['kernel']}; {about['compiler']}; load {about['load']}",
        fontsize=7.5, color="#555555",
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0.05, 1, 0.95))
    figure.savefig(path, dpi=130)


def main() -> None:
    if len(sys.argv) != 2:
        fail("usage: report.py DIR")
    directory = Path(sys.argv[1])
    rows, about = cases(directory / "raw"), machine()
    (directory / "vq.json").write_text(json.dumps({"machine": about, "cases": rows}, indent=1) + "\n")
    (directory / "vq.md").write_text(markdown(rows, about))
    plot(rows, about, directory / "vq.png")
    print(f"bench: {len(rows)} shapes: {directory}/vq.md, vq.png, vq.json")


if __name__ == "__main__":
    main()
