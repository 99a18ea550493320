# SPDX-License-Identifier: GPL-2.0-only
"""The figures that make bench-blk makes of the driver program's answers, and its verdicts."""

import pytest

from blkbench.cells import ALONE, DEPTHS, HOST, OPS, OURS, RAW, USERSPACE, cells
from blkbench.figures import Figures
from blkbench.report import cost_table, verdict, verdict_table


def figures(**elapsed: float) -> Figures:
    """Of answers that are 1000 for what the host pays, 4000 for others, 100 for the driver; but for those given."""
    measured = cells(800)
    answers = []
    for cell in measured:
        usual = 1000.0 if cell.name in RAW else 4000.0
        answers.append({
            "elapsed": elapsed.get(cell.name, usual),
            "alone": (200.0 if "packed" in cell.words else 100.0) if cell.name in ALONE else 0.0,
            "ring": "packed" if "packed" in cell.words else "split",
            "requests": 800, "kicks": 200, "calls": 400,
        })  # fmt: skip
    return Figures(measured, answers)


def test_the_drivers_half_is_taken_off_by_its_ring():
    found = figures()
    assert found.cost(HOST, "read", 1) == 1000
    assert found.cost(OURS, "read", 1) == 3900
    assert found.cost("vhost-blk, packed", "read", 1) == 3800


def test_the_best_userspace_path_is_the_peer():
    assert figures(**{"vireo, io_uring": 2100.0}).best_userspace("write", 32) == ("vireo, io_uring", 2000)


@pytest.mark.parametrize("ours, good", ((1350, [True, True]), (1351, [False, True]), (2000, [False, True]),
                                        (2001, [False, False])))
def test_goals(ours, good):
    # 1250 is a quarter above the host's 1000, and 1900 half of the best path's 3800.
    found = figures(**{OURS: float(ours)})
    assert [each["good"] for each in found.verdicts() if (each["op"], each["depth"]) == ("read", 1)] == good


def test_slack_is_a_part_of_the_goal():
    assert figures(**{OURS: 1387.0}).verdicts(0.03)[0]["good"]
    assert not figures(**{OURS: 1388.0}).verdicts(0.03)[0]["good"]


def test_a_missed_goal_shows():
    result = {"verdicts": figures(**{OURS: 1351.0}).verdicts()}
    assert verdict_table(result["verdicts"])[1][-1] == "no"
    assert verdict(result) == "4 of 8 figures meet their goal"


def test_every_path_is_measured_at_every_load():
    rows = figures().rows()
    assert len(rows) == len(OPS) * len(DEPTHS)
    assert len(cost_table(rows)) == 1 + len(rows[0]["cost"])
    assert rows[0]["events"][OURS] == {"kicks": 0.25, "calls": 0.5}
    assert all(name in rows[0]["cost"] for name in USERSPACE)
