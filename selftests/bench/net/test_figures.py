# SPDX-License-Identifier: GPL-2.0-only
"""The figures that make bench-net makes of the driver program's answers, and its verdicts."""

import pytest

from netbench.cells import OURS, PEER, load
from netbench.figures import Figures, verdict
from netbench.latency import CALL, KICK, TAP_TX, latencies
from netbench.report import cost_table, markdown, text


def answer(device: str, **fields) -> dict:
    shape = {"direction": "rx", "size": 64, "ring": "split", "event_idx": True, "mergeable": True, "load": "full"}
    counts = {"frames": 1000, "sent": 1000, "kicks": 4, "calls": 8, "wakeups": 4}
    return {"device": device} | shape | counts | fields


def answers(**ours) -> list[dict]:
    return [
        answer("none", driver=300.0, source=1500.0),
        answer("floor", worker=1000.0, source=2000.0, freeing=500.0),
        answer(PEER, worker=2000.0, elapsed=4800.0, source=2200.0),
        answer(OURS, **({"worker": 1400.0, "elapsed": 4200.0, "source": 2200.0} | ours)),
    ]


def test_a_goal_is_a_part_of_the_peers_cost():
    assert verdict(64, 700, 1000, 500) == (700, True)
    assert verdict(64, 701, 1000, 500) == (700, False)
    assert verdict(1500, 850, 1000, 600) == (850, True)
    assert verdict(60000, 1000, 1000, 900) == (1000, True)
    assert verdict(60000, 1001, 1000, 900) == (1000, False)


def test_above_a_high_floor_half_of_the_rest_is_the_goal():
    assert verdict(64, 900, 1000, 800) == (900, True)
    assert verdict(64, 901, 1000, 800) == (900, False)


def test_slack_is_a_part_of_the_goal():
    assert verdict(64, 721, 1000, 500, slack=0.03)[1]
    assert not verdict(64, 722, 1000, 500, slack=0.03)[1]


def test_the_whole_is_what_driver_and_source_do_not_cost_alone():
    # 4800 less the driver's 300 and the source's own 1500 - 500.
    assert Figures(answers()).whole(answers()[2]) == pytest.approx(3500)


def test_frames_that_were_sent_ahead_do_not_count():
    # A tenth more was sent than received, at the same cost for each.
    ahead = answer(PEER, worker=2000.0, elapsed=4800.0 + 220, source=2200.0 + 220, sent=1100)
    assert Figures(answers()).whole(ahead) == pytest.approx(3500)


def test_the_floor_of_the_whole_has_the_taps_half_of_a_transmission():
    assert Figures(answers()).floor_whole(answers()[3]) == pytest.approx(1000 + 2000 - 1000)


def test_a_row_has_both_figures_judged():
    (row,) = Figures(answers()).rows()
    assert row["worker"] == {
        "ours": 1400.0, "peer": 2000.0, "floor": 1000.0, "ratio": 0.7, "above_floor": 0.4, "most": 1400.0, "good": True,
    }  # fmt: skip
    assert row["whole"]["ours"] == pytest.approx(2900)
    assert row["peer_per_packet"] == {"kicks": 0.004, "calls": 0.008, "wakeups": 0.004}


def test_a_missed_goal_shows_in_the_table():
    rows = Figures(answers(worker=1500.0)).rows()
    table = cost_table(rows, "worker")
    assert table[1][-1] == "no, at most 1400"
    assert "| no, at most 1400 |" in markdown(table)
    assert len(set(map(len, text(table).splitlines()))) == 1


def test_a_cell_without_its_peer_is_an_error():
    with pytest.raises(LookupError):
        Figures(answers(event_idx=False)).rows()


def test_every_cell_of_ours_has_a_peer_a_floor_and_a_source_alone():
    for full in (False, True):
        cells = load(full, 1000)
        for cell in cells:
            if cell.device != OURS:
                continue
            same = [each for each in cells if (each.direction, each.size) == (cell.direction, cell.size)]
            assert any(each.device == "floor" for each in same)
            assert any(each.device == "none" and each.ring == cell.ring for each in same)
            assert any(each.device == PEER and (each.event_idx, each.mergeable) == (cell.event_idx, cell.mergeable)
                       for each in same)  # fmt: skip


def test_latency_is_from_kick_to_tap_to_call():
    one = answer(OURS, direction="tx", load="one", worker=5000.0, frames=2)
    calls = [(KICK, 100), (TAP_TX, 4000), (CALL, 5000), (KICK, 9000), (TAP_TX, 12900), (CALL, 13900)]
    (row,) = latencies([one], [calls])
    assert (row["kick_to_tap"], row["tap_to_call"]) == (3900, 1000)


def test_a_packet_that_was_not_seen_at_the_tap_is_an_error():
    one = answer(OURS, direction="tx", load="one", worker=5000.0, frames=2)
    with pytest.raises(ValueError):
        latencies([one], [[(KICK, 100), (TAP_TX, 4000), (CALL, 5000)]])
