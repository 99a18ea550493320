# SPDX-License-Identifier: GPL-2.0-only
"""One guest with a card for each set of options: scenario_options.py drives it and observes, this judges."""

import pytest
from cards import OFFLOADS, OPTIONS, RING_SIZES, TAKEN_FURTHER
from conftest import DEVICE, OFFERED, expect_carried, expect_counters, expect_negotiated
from seen import Seen, expect_datagrams, expect_ping, expect_stream

QUEUES = sum(card.queues for card in OPTIONS)
EACH_CARD = pytest.mark.parametrize("card", OPTIONS, ids=lambda card: card.name)
FURTHER = pytest.mark.parametrize("card", [card for card in OPTIONS if card.name in TAKEN_FURTHER],
                                  ids=lambda card: card.name)


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request, seen_in) -> Seen:
    return seen_in("options", request.param)


def test_the_run_goes_well(seen):
    """The lab fails a run in which the host's kernel complains."""
    assert seen.result.status == 0 and not seen.failures, str(seen.result)


@EACH_CARD
def test_negotiated(seen, card):
    expect_negotiated(card, seen["negotiated"][card.name])


def test_the_device_has_a_worker_for_each_queue_pair(seen):
    assert seen["users"] == seen["workers"] == QUEUES
    assert seen["workers at the end"] == QUEUES


@EACH_CARD
def test_ping(seen, card):
    expect_ping(seen[f"traffic {card.name}"]["ping"])


@EACH_CARD
def test_tcp_both_ways(seen, card):
    expect_stream(seen[f"traffic {card.name}"]["tcp"])


@EACH_CARD
def test_udp_both_ways(seen, card):
    expect_datagrams(seen[f"traffic {card.name}"]["udp"], ordered=card.queues == 1)


@EACH_CARD
def test_the_vmm_is_not_on_the_data_path(seen, card):
    """What goes through QEMU goes through its system calls; commands and their answers are a few KiB."""
    traffic = seen[f"traffic {card.name}"]
    assert traffic["copied by QEMU"] < sum(traffic["tcp"]["asked"]) / 8
    expect_carried(traffic)


@FURTHER
@pytest.mark.parametrize("setting", OFFLOADS)
def test_offloads(seen, card, setting):
    found = seen[f"offloads {card.name}"][setting]
    expect_stream(found["tcp"])
    expect_datagrams(found["udp"])
    wanted = OFFLOADS[setting]
    expected = {"in": (wanted.long_in, wanted.open_in), "out": (wanted.long_out, wanted.open_out)}
    for way, (long_ones, open_ones) in expected.items():
        packets = found["packets"][way]
        assert packets["packets"] > 0
        assert (packets["longest"] > 1514) == long_ones, f"{way}: {packets}"
        assert (packets["open_checksums"] > 0) == open_ones, f"{way}: {packets}"


@FURTHER
def test_rings_are_resized_under_traffic(seen, card):
    if "RING_RESET" not in OFFERED:
        pytest.skip("the device does not offer VIRTIO_F_RING_RESET")
    found = seen[f"resize {card.name}"]
    assert [step["status"] for step in found["steps"]] == [0] * len(RING_SIZES), found
    assert [tuple(step["found"]) for step in found["steps"]] == list(RING_SIZES)
    expect_stream(found["tcp"])


@FURTHER
def test_link_goes_down_and_up_under_traffic(seen, card):
    found = seen[f"link {card.name}"]
    assert found["vhost started"] == [False, True, False, True]
    expect_stream(found["tcp"])
    expect_ping(found["ping"])


def test_queue_pairs_are_changed_under_traffic(seen):
    found = seen["queues"]
    assert [step["queues"] for step in found["steps"]] == [2, 1, 2]
    for step in found["steps"]:
        if DEVICE == "/dev/vireo-net":  # the kernel's own does not tell
            for way in ("receive", "transmit"):
                assert [pair[way] > 0 for pair in step["pairs"]] == [True, step["queues"] == 2], step
        for stream in step["tcp"]:
            expect_stream(stream)
    expect_stream(found["tcp"])


@EACH_CARD
def test_jumbo(seen, card):
    found = seen[f"jumbo {card.name}"]
    expect_ping(found["ping"])
    expect_datagrams(found["udp"], ordered=card.queues == 1)
    expect_stream(found["tcp"])
    for way in ("in", "out"):
        assert 8900 < found["packets"][way]["longest"] <= 9014


@EACH_CARD
def test_after_a_reboot_under_traffic(seen, card):
    found = seen["reboot"][card.name]
    expect_negotiated(card, found["negotiated"])
    expect_ping(found["ping"])
    expect_stream(found["tcp"])


def test_the_device_has_met_with_nothing_wrong(seen):
    expect_counters(seen["counters"])


def test_the_guests_kernel_complains_of_nothing(seen):
    assert not seen["reboot"]["complaints before"]
    assert not seen["complaints"]


def test_all_is_given_back(seen):
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0
