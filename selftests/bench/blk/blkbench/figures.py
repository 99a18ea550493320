# SPDX-License-Identifier: GPL-2.0-only
"""What a request costs on each path, from the driver program's answers; and whether that is good enough.

A figure is all that the CPU did for a request: the clock under icount. Of a virtio path the driver's own half is taken
off, which is the guest's and the same whoever serves it; what a kick and a call cost stays in.
"""

from __future__ import annotations

from .cells import ALONE, DEPTHS, HOST, KERNEL, OPS, OURS, RAW, USERSPACE, Cell

MOST_OF_HOST = 1.25  # of what io_uring costs without anybody in between
MOST_OF_USERSPACE = 0.5  # of the best path that goes through a process


class Figures:
    """Over the answers of one boot."""

    def __init__(self, cells: list[Cell], answers: list[dict]):
        self._answers = {(cell.name, cell.op, cell.depth): answer for cell, answer in zip(cells, answers)}

    def answer(self, name: str, op: str, depth: int) -> dict:
        return self._answers[name, op, depth]

    def cost(self, name: str, op: str, depth: int) -> float:
        answer = self.answer(name, op, depth)
        if name in RAW:
            return answer["elapsed"]
        alone = next(each for each in ALONE if self.answer(each, op, depth)["ring"] == answer["ring"])
        return answer["elapsed"] - self.answer(alone, op, depth)["alone"]

    def best_userspace(self, op: str, depth: int) -> tuple[str, float]:
        return min(((name, self.cost(name, op, depth)) for name in USERSPACE), key=lambda each: each[1])

    def rows(self) -> list[dict]:
        """What each path costs, one row for each kind of load."""
        return [{"op": op, "depth": depth,
                 "cost": {name: round(self.cost(name, op, depth), 1) for name in RAW | KERNEL | USERSPACE},
                 "events": {name: events(self.answer(name, op, depth)) for name in KERNEL | USERSPACE}}
                for op in OPS for depth in DEPTHS]  # fmt: skip

    def verdicts(self, slack: float = 0.0) -> list[dict]:
        found = []
        for op in OPS:
            for depth in DEPTHS:
                ours = self.cost(OURS, op, depth)
                host = self.cost(HOST, op, depth)
                name, userspace = self.best_userspace(op, depth)
                for whose, theirs, most in ((HOST, host, MOST_OF_HOST), (name, userspace, MOST_OF_USERSPACE)):
                    found.append({
                        "op": op, "depth": depth, "ours": round(ours, 1), "whose": whose, "theirs": round(theirs, 1),
                        "ratio": round(ours / theirs, 4), "most": most,
                        "good": ours <= most * theirs * (1 + slack),
                    })  # fmt: skip
        return found


def events(answer: dict) -> dict[str, float]:
    """Notifications for a request."""
    return {name: round(answer[name] / answer["requests"], 4) for name in ("kicks", "calls")}
