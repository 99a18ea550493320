# SPDX-License-Identifier: GPL-2.0-only
"""One packet at a time: when it was where, by the instructions executed until then."""

from __future__ import annotations

import statistics

from .figures import events as per_packet

# The kernel's functions at which a packet is seen to pass.
KICK = "eventfd_write"
TAP_TX = "netif_receive_skb"
TAP_RX = "dev_hard_start_xmit"
CALL = "eventfd_signal_mask"
WATCHED = (KICK, TAP_TX, TAP_RX, CALL)


def _between(events: list[tuple[str, int]], first: str, then: str) -> list[int]:
    """From each call of first to the next call of then."""
    spans = []
    since = None
    for name, when in events:
        if name == first:
            since = when
        elif name == then and since is not None:
            spans.append(when - since)
            since = None
    return spans


def latencies(answers: list[dict], runs: list[list[tuple[str, int]]]) -> list[dict]:
    """runs: of each answer, what was called when."""
    found = []
    for answer, events in zip(answers, runs, strict=True):
        row = {name: answer[name] for name in ("device", "direction", "ring", "size", "worker", "frames")}
        tap = TAP_TX if answer["direction"] == "tx" else TAP_RX
        spans = {"tap_to_call": _between(events, tap, CALL)}
        if answer["direction"] == "tx":
            spans["kick_to_tap"] = _between(events, KICK, tap)
        for name, values in spans.items():
            if len(values) != answer["frames"]:
                raise ValueError(f"{answer['frames']} frames, but {len(values)} times {name} in {answer}")
            row[name] = statistics.median(values)
        found.append(row | per_packet(answer))
    return found
