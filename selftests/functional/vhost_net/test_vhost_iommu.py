# SPDX-License-Identifier: GPL-2.0-only
"""Cards behind an IOMMU, VIRTIO_F_ACCESS_PLATFORM: scenario_iommu.py drives the guest and observes, this judges."""

import pytest
from cards import BASIC, RING_SIZES
from conftest import OFFERED, expect_counters, expect_negotiated
from seen import Seen, expect_datagrams, expect_ping, expect_stream

EACH_CARD = pytest.mark.parametrize("card", BASIC, ids=lambda card: card.name)


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request, seen_in) -> Seen:
    return seen_in("iommu", request.param)


def test_the_run_goes_well(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)


@EACH_CARD
def test_translated(seen, card):
    """Negotiated, and the guest's kernel maps each buffer by itself."""
    expect_negotiated(card, seen["negotiated"][card.name], frozenset({"ACCESS_PLATFORM"}))
    assert seen["boot"][card.name] == "DMA"


@EACH_CARD
def test_traffic(seen, card):
    traffic = seen[f"traffic {card.name}"]
    expect_ping(traffic["ping"])
    expect_stream(traffic["tcp"])
    expect_datagrams(traffic["udp"])
    assert traffic["copied by QEMU"] < sum(traffic["tcp"]["asked"]) / 2  # misses and invalidations are messages


@EACH_CARD
def test_rings_are_resized_under_traffic(seen, card):
    if "RING_RESET" not in OFFERED:
        pytest.skip("the device does not offer VIRTIO_F_RING_RESET")
    found = seen[f"resize {card.name}"]
    assert [(step["status"], *step["found"]) for step in found["steps"]] == [(0, *sizes) for sizes in RING_SIZES]
    expect_stream(found["tcp"])


@EACH_CARD
def test_link_goes_down_and_up_under_traffic(seen, card):
    found = seen[f"link {card.name}"]
    assert found["vhost started"] == [False, True, False, True]
    expect_stream(found["tcp"])
    expect_ping(found["ping"])


def test_the_device_has_met_with_nothing_wrong(seen):
    expect_counters(seen["counters"])


def test_the_guests_kernel_complains_of_nothing(seen):
    assert not seen["complaints"]


def test_all_is_given_back(seen):
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0
