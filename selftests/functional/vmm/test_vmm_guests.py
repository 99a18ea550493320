# SPDX-License-Identifier: GPL-2.0-only
"""Guests under the VMM: each does its work over every device, over the path that was asked for, and ends cleanly."""

import pytest
from conftest import SetupSeen
from seen import expect_datagrams, expect_ping, expect_stream
from setups import AMOUNT, DISK_SIZE, NET_BITS, RING_BITS, SETUPS, SWITCHES, Card

# Which setup is seen on which kernel of the host.
SEEN = [("modern", "6.1"), ("smp", "6.12"), ("legacy", "6.12"), ("modern", "6.12"), ("smp", "6.1"), ("legacy", "6.1")]
COSTLY = SEEN[3:]  # the other half of the combinations
RUNS = [pytest.param(run, marks=pytest.mark.full if run in COSTLY else (), id="-".join(run)) for run in SEEN]
EACH_RUN = pytest.mark.parametrize("seen", RUNS, indirect=True)
EACH_CARD = pytest.mark.parametrize(
    "seen, card",
    [
        pytest.param(run.values[0], card, marks=run.marks, id=f"{run.id}-{card.name}")
        for run in RUNS
        for card in SETUPS[run.values[0][0]].cards
    ],
    indirect=["seen"],
)
EACH_SWITCHED = pytest.mark.parametrize(
    "seen, card",
    [
        pytest.param(run.values[0], card, marks=run.marks, id=f"{run.id}-{card}")
        for run in RUNS
        for card in SETUPS[run.values[0][0]].switched
    ],
    indirect=["seen"],
)


@pytest.fixture
def seen(request, seen_of) -> SetupSeen:
    return seen_of(*request.param)


def expect_bits(found: dict, known: dict[str, int], wanted: frozenset[str]) -> None:
    """The guest's driver has accepted what was wanted and nothing else of what is known, and the VMM has it so too."""
    assert {name for name, bit in known.items() if bit in found["guest"]} == set(wanted) & set(known), found
    assert sum(1 << bit for bit in found["guest"]) == found["vmm"], found


@EACH_RUN
def test_boots(seen):
    boot = seen["boot"]
    assert boot["kernel"].startswith(seen.setup.guest + ".")
    assert boot["cpus"] == boot["vcpus"] == seen.setup.cpus
    assert boot["status"] == {"running": True, "singlestep": False, "status": "running"}


@EACH_RUN
def test_memory_is_where_it_was_asked_for(seen):
    size, _, more = seen.setup.memory.partition(",")
    wanted = int(size.removesuffix("G")) << (30 if size.endswith("G") else 20)
    assert 0.85 * wanted < seen["boot"]["memory"] < wanted
    assert seen["boot"]["above 4 GiB"] == (wanted > 3 << 30)
    # Those that the guest has touched.
    assert (seen["boot"]["huge pages"] > 0) == ("hugetlb=on" in more)


@EACH_RUN
def test_interrupts_come_by(seen):
    lines = seen["boot"]["interrupts"]
    assert lines and all(seen.setup.interrupts in line for line in lines), lines


@EACH_CARD
def test_card_negotiates(seen, card):
    expect_bits(seen["negotiated"][card.name], {**NET_BITS, **RING_BITS}, seen.setup.bits(card))


@EACH_RUN
@pytest.mark.parametrize("device", ["disk0", "rng0", "console0"])
def test_device_negotiates(seen, device):
    expect_bits(seen["negotiated"][device], RING_BITS, seen.setup.rings(seen.setup.properties))


@EACH_CARD
def test_card_carries_traffic(seen, card: Card):
    traffic = seen[f"traffic {card.name}"]
    expect_ping(traffic["ping"])
    expect_stream(traffic["tcp"])
    expect_datagrams(traffic["udp"])
    # On the path that was asked for, and on no other. Packets of TCP may be as long as 64 KiB.
    other = {"user": "vhost", "vhost": "user"}[card.path]
    assert traffic["carried"][card.path] > 1000 + 2 * AMOUNT // 65536, traffic
    assert traffic["carried"][other] == 0, traffic
    for queue in traffic["queues"][:2]:
        assert queue["path"] == card.path, traffic
        assert queue["counters"]["errors"] == 0, traffic


@EACH_RUN
def test_disk_holds_what_is_written(seen):
    disk = seen["disk"]
    assert disk["serial"] == "VIREO-1"
    assert disk["size"] == DISK_SIZE
    assert disk["read"] == disk["digest"]
    assert disk["fio"]["status"] == 0, disk["fio"]["output"]
    assert disk["discard"]["status"] == 0, disk["discard"]["output"]
    assert seen["written"] == disk["pattern"]
    (queue,) = disk["queues"]
    assert queue["path"] == "user"
    assert queue["counters"]["bytes_read"] >= DISK_SIZE and queue["counters"]["discards"] > 0, queue
    assert queue["counters"]["flushes"] > 0 and queue["counters"]["errors"] == 0, queue


@EACH_RUN
def test_rng_gives_bytes(seen):
    rng = seen["rng"]
    assert rng["source"].startswith("virtio_rng")
    assert rng["bytes"] == 4096
    assert rng["kinds"] > 128  # of 256, among 4096 random ones
    assert rng["after"][0]["counters"]["bytes"] >= rng["before"][0]["counters"]["bytes"] + 8192 - 64


@EACH_RUN
def test_console_talks(seen):
    assert seen["console"] == {"heard": "from the host", "said": "from the guest"}


@EACH_SWITCHED
def test_path_switches_under_traffic(seen, card):
    """Nothing is lost, and nothing comes twice."""
    found = seen[f"switch {card}"]
    assert len(found["paths"]) == SWITCHES
    for step in found["paths"]:
        assert step["now"] == [step["asked"]] * 2, step
        assert step["carried"][step["asked"]] > 0, step
    expect_stream(found["tcp"])
    expect_datagrams(found["udp"])


@EACH_RUN
def test_stops_and_goes_on(seen):
    found = seen["stop and go on"]
    assert found["stopped"]["status"] == "paused" and found["running"]["status"] == "running"
    assert found["carried while stopped"] == {"user": 0, "vhost": 0}
    expect_stream(found["tcp"])


@EACH_RUN
def test_link_goes_down_and_up(seen):
    assert seen["link"]["carrier"] == [False, True]
    expect_ping(seen["link"]["ping"])


@EACH_RUN
def test_resets(seen):
    if not seen.setup.resets:
        pytest.skip("another setup shows it")
    found = seen["reset"]
    assert found["negotiated"] == seen["negotiated"]
    expect_stream(found["tcp"])


@EACH_RUN
def test_power_button_is_heard(seen):
    assert seen["power button"]["after"] == seen["power button"]["before"] + 1


@EACH_RUN
def test_ends_cleanly(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    assert not seen["complaints"]
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0


@EACH_RUN
def test_memory_beyond_the_guests(seen):
    """Of a build without sanitizers that is optimized."""
    if not seen.setup.small:
        pytest.skip("another setup shows it")
    assert seen["resident"]["resident"] <= 5 << 20
    assert seen["resident"]["anonymous"] <= 1 << 20
