# SPDX-License-Identifier: GPL-2.0-only
"""What a guest under KVM inside the lab does: nested_guest boots it and observes, this judges."""

import re

import pytest

from guests.images import find_kernel


def test_the_lab_run_goes_well(seen):
    assert seen.result.status == 0, str(seen.result)


def test_kvm_runs_it(seen):
    """Asked of the VMM, and seen by the guest: an emulated CPU would show neither."""
    assert seen["kvm"] == {"enabled": True, "present": True}
    assert "kvm-clock" in seen["clocksources"]
    assert seen["hypervisor"] == "Hypervisor detected: KVM"


def test_the_kernel_that_was_asked_for(seen):
    assert seen["uname"] == find_kernel(seen.guest_kernel).release


def test_its_kernel_complains_of_nothing(seen):
    assert not seen["complaints"]


@pytest.mark.parametrize("program", ["BusyBox v", "fio-", "iperf 3", "ethtool version", "ip utility", "tc utility"])
def test_programs(seen, program):
    assert any(line.startswith(program) for line in seen["programs"])


def test_status_and_output_of_commands(seen):
    """A status comes back as the shell has it; output to the byte, even where it looks like the answer's end."""
    assert seen["statuses"] == [0, 7, 127, 128 + 9]
    assert seen["empty"] == ""
    assert seen["bytes"] == "no newline\r\t\n\n@vireo end 1 0\nend"


def test_fio_verifies_what_it_wrote(seen):
    found = [(name, int(value)) for name, value in re.findall(r'"(\w+)" : (\d+)', seen["fio"])]
    # Written once, read back once, nothing discarded; fio tells reads first.
    assert found == [("error", 0), ("io_bytes", 256 << 10), ("io_bytes", 256 << 10), ("io_bytes", 0)]


def test_ping_both_ways_over_a_tap(seen):
    assert seen["driver"] == "driver: virtio_net"
    for way in ("ping to guest", "ping to host"):
        assert "3 packets transmitted, 3 packets received, 0% packet loss" in seen[way]


def test_power_off(seen):
    assert seen["exit status"] == 0
