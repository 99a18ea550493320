# SPDX-License-Identifier: GPL-2.0-only
"""Under --icount guest time is a count of instructions, and so is repeatable."""

LOOP = r"""
import time

def work():
    total = 0
    for i in range(200000):
        total += i * i
    return total

work()
for _ in range(3):
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    work()
    print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) - began)
"""


def test_the_same_work_takes_the_same_guest_time(lab, tmp_path):
    script = tmp_path / "loop.py"
    script.write_text(LOOP)
    result = lab("/usr/bin/python3", script, options=("--icount",))
    assert result.status == 0, str(result)
    times = [int(line) for line in result.text.split()]
    assert len(times) == 3
    assert max(times) - min(times) <= 0.01 * min(times), times
