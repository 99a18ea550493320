# SPDX-License-Identifier: GPL-2.0-only
"""A card of each kind, on both paths: scenario_cards.py sees them in one guest, this judges."""

import pytest
from plugs import BITS, PLUGS, Plug
from seen import expect_datagrams, expect_ping, expect_stream


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request, seen_in):
    return seen_in("cards", request.param)


def each(choose=lambda plug: True):
    return pytest.mark.parametrize("plug", filter(choose, PLUGS), ids=lambda plug: plug.name)


OTHER = {"user": "vhost", "vhost": "user"}


@each()
def test_negotiates(seen, plug: Plug):
    found = seen[f"traffic {plug.name}"]
    assert {name for name, bit in BITS.items() if bit in found["bits"]} == plug.bits, found
    assert sum(1 << bit for bit in found["bits"]) == found["vmm"], found
    assert found["mtu"] == plug.mtu


@each()
def test_carries_traffic(seen, plug: Plug):
    """By the path that it is to go, and no other."""
    found = seen[f"traffic {plug.name}"]
    expect_ping(found["ping"])
    expect_stream(found["tcp"])
    expect_datagrams(found["udp"], ordered=plug.queues == 1)
    least = 400 + 2 * plug.amount // 65536  # packets of TCP may be as long as 64 KiB
    assert found["carried by the interface"] > least, found
    assert found["carried"][OTHER[plug.path]] == 0, found
    if plug.counted:
        assert found["carried"][plug.path] > least, found
    else:
        assert found["carried"] == {"user": 0, "vhost": 0}, found
    data = found["queues"][: 2 * plug.queues]
    assert [queue["path"] for queue in data] == [plug.path] * len(data), found
    assert all(queue["counters"]["errors"] == 0 for queue in data), found


@each(lambda plug: plug.queues > 1)
def test_each_queue_pair_has_its_cpu(seen, plug: Plug):
    found = seen[f"queues {plug.name}"]
    for cpu in range(plug.queues):
        packets = found[f"cpu {cpu}"]
        assert packets[2 * cpu + 1] >= 20, found
        assert packets[2 * cpu] >= 15, found  # an answer or two go where those before went
        assert sum(packets) < 1.5 * sum(packets[2 * cpu : 2 * cpu + 2]), found


@each(lambda plug: plug.vlan)
def test_vlan(seen, plug: Plug):
    found = seen[f"vlan {plug.name}"]
    expect_ping(found["ping"])
    expect_stream(found["tcp"])
    assert found["carried"][plug.path] > 2 * (1 << 20) // 65536 and found["carried"][OTHER[plug.path]] == 0, found


@each(lambda plug: plug.switched)
def test_switches_to_the_other_path_first(seen, plug: Plug):
    found = seen[f"switch {plug.name}"]
    assert found["paths"][0]["asked"] == OTHER[plug.path]
    for step in found["paths"]:
        assert step["now"] == [step["asked"]] * (2 * plug.queues), step
        assert step["carried"][step["asked"]] > 0 and step["carried"][OTHER[step["asked"]]] == 0, step
    expect_stream(found["tcp"])


@each(lambda plug: plug.unplugged)
def test_interface_that_goes_pulls_the_cable(seen, plug: Plug):
    """And nothing else."""
    found = seen[f"unplug {plug.name}"]
    assert found["carrier"] == 0
    assert found["status"] == "running"
    expect_ping(found["another"])


@each(lambda plug: plug.kind in ("create", "macvtap"))
def test_interface_that_it_made_goes(seen, plug: Plug):
    assert seen["boot"]["there"][plug.name] and not seen["left"][plug.name]


@each(lambda plug: plug.kind == "tap" and not plug.unplugged)
def test_interface_that_was_there_stays(seen, plug: Plug):
    assert seen["left"][plug.name]


def test_workers_of_both_modules(seen):
    assert seen["boot"]["vhost workers"] == {"vireo": True, "vhost": True}


def test_try_says_that_it_fell_back(seen):
    (line,) = [line for line in seen["said"] if "net-try-none" in line]
    assert "/dev/vireo-none is missing" in line and "the VMM carries the packets instead" in line


def test_ends_cleanly(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    assert not seen["complaints"]
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0
