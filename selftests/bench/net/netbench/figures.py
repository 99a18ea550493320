# SPDX-License-Identifier: GPL-2.0-only
"""What a packet costs whom, from the driver program's answers; and whether that is good enough.

Two figures are judged, in instructions for a packet:

worker  what the scheduler accounted to the device's thread.
whole   all that the CPU did, less what driver program and source cost when nobody serves them. So what a kick or a
        wake-up costs its sender is in, as are the scheduler and the tap's half of a transmission.

The driver's own cost is that of the same program on the same rings with a null device. The source's own cost is that of
pktgen on a device that frees what it is given, less the freeing. In the measured time the source sends a few frames
more or less than are received; its cost for a frame is taken, not its cost in that time.
"""

from __future__ import annotations

from typing import Callable

from .cells import LARGE, OURS, PEER

GOALS = {64: 0.7, 1500: 0.85}  # of the peer's cost, at the most, by size of the frame
NEVER_ABOVE = 1.0  # for other sizes
HIGH_FLOOR = 0.6  # of the peer's cost: from here on it is what lies above the floor that counts ...
ABOVE_FLOOR = 0.5  # ... and at most this part of what the peer has there


def verdict(size: int, ours: float, peers: float, floor: float, slack: float = 0.0) -> tuple[float, bool]:
    """The most that is good, and whether it is kept. slack: a part of that, for how far two runs differ."""
    if size in GOALS and floor > HIGH_FLOOR * peers:
        most = floor + ABOVE_FLOOR * (peers - floor)
    else:
        most = GOALS.get(size, NEVER_ABOVE) * peers
    return most, ours <= most * (1 + slack)


class Figures:
    """Over the answers of one boot."""

    def __init__(self, answers: list[dict]):
        self._answers = answers

    def _first(self, matches: Callable[[dict], bool], **fields) -> dict:
        for answer in self._answers:
            if matches(answer) and all(answer[name] == value for name, value in fields.items()):
                return answer
        raise LookupError(f"no answer for {fields}")

    def _none(self, answer: dict) -> dict:
        """Driver and source alone, as they are in this answer."""
        fields = {name: answer[name] for name in ("direction", "size", "ring")}
        if answer["size"] >= LARGE:
            fields["mergeable"] = answer["mergeable"]
        return self._first(lambda each: each["device"] == "none", **fields)

    def _floor(self, answer: dict) -> dict:
        return self._first(lambda each: each["device"] == "floor",
                           direction=answer["direction"], size=answer["size"])  # fmt: skip

    def _source_own(self, answer: dict) -> float:
        return self._none(answer)["source"] - self._floor(answer)["freeing"]

    def whole(self, answer: dict) -> float:
        cost = answer["elapsed"] - self._none(answer)["driver"]
        if answer["direction"] == "rx":
            sent_each = answer["source"] * answer["frames"] / answer["sent"]
            cost += sent_each - self._source_own(answer) - answer["source"]
        return cost

    def floor_whole(self, answer: dict) -> float:
        floor = self._floor(answer)
        if answer["direction"] == "tx":
            return floor["worker"]
        return floor["worker"] + floor["source"] - self._source_own(answer)

    def _peer(self, answer: dict) -> dict:
        """The peer has no packed rings: it stands beside ours with its split ones."""
        shape = {name: answer[name] for name in ("direction", "size", "event_idx", "mergeable")}
        return self._first(lambda each: each["device"] == PEER, ring="split", load="full", **shape)

    def rows(self, slack: float = 0.0) -> list[dict]:
        """One for each cell of ours at full load."""
        rows = []
        for answer in self._answers:
            if answer["device"] != OURS or answer["load"] != "full":
                continue
            peer = self._peer(answer)
            row = {name: answer[name] for name in ("direction", "size", "ring", "event_idx", "mergeable", "frames")}
            judged = {
                "worker": (answer["worker"], peer["worker"], self._floor(answer)["worker"]),
                "whole": (self.whole(answer), self.whole(peer), self.floor_whole(answer)),
            }
            for name, (ours, peers, floor) in judged.items():
                most, good = verdict(answer["size"], ours, peers, floor, slack)
                row[name] = {
                    "ours": round(ours, 1),
                    "peer": round(peers, 1),
                    "floor": round(floor, 1),
                    "ratio": round(ours / peers, 4),
                    "above_floor": round((ours - floor) / (peers - floor), 4),
                    "most": round(most, 1),
                    "good": good,
                }
            row["ours_per_packet"] = events(answer)
            row["peer_per_packet"] = events(peer)
            rows.append(row)
        return rows


def events(answer: dict) -> dict[str, float]:
    """Notifications and wake-ups for a packet."""
    return {name: round(answer[name] / answer["frames"], 5) for name in ("kicks", "calls", "wakeups")}
