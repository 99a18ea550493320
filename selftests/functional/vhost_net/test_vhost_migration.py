# SPDX-License-Identifier: GPL-2.0-only
"""A guest with traffic migrates from QEMU to QEMU and back: scenario_migration.py drives it, this judges."""

import pytest
from cards import MIGRATED
from conftest import expect_counters, expect_negotiated
from seen import Seen, expect_ping, expect_stream

HOPS = ("hop 0", "hop 1")
QUEUES = sum(card.queues for card in MIGRATED)
EACH_CARD = pytest.mark.parametrize("card", MIGRATED, ids=lambda card: card.name)


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request, seen_in) -> Seen:
    return seen_in("migration", request.param, "4G")


def test_the_run_goes_well(seen):
    """The lab fails a run in which the host's kernel complains."""
    assert seen.result.status == 0 and not seen.failures, str(seen.result)


@pytest.mark.parametrize("hop", HOPS)
def test_it_was_a_live_migration(seen, hop):
    """Memory went over while the guest ran, and the device logged what it wrote meanwhile."""
    found = seen[hop]
    assert found["state before"] == "active" and found["rounds before"] > 1
    assert found["migration"]["status"] == "completed"
    assert found["migration"]["ram"]["dirty-sync-count"] > found["rounds before"]
    assert all(found["log enabled"].values()), found["log enabled"]
    assert found["users"] == found["workers"] == QUEUES


@EACH_CARD
def test_negotiated(seen, card):
    for part in ("start", *HOPS):
        expect_negotiated(card, seen[part]["negotiated"][card.name])


@EACH_CARD
def test_streams_go_on_uncorrupted(seen, card):
    expect_stream(seen["end"]["streams"][card.name])


@EACH_CARD
@pytest.mark.parametrize("hop", HOPS)
def test_what_was_received_while_memory_went_over_is_right(seen, hop, card):
    found = seen[hop]
    assert found["held when it came"] == found["held when it left"]
    for stream in found["held"][card.name]:
        expect_stream(stream)


@EACH_CARD
def test_no_datagram_is_lost_beyond_the_switch_over(seen, card):
    """On its way to the guest, one may be queued at the tap that the guest has left: one gap for each hop. What the
    guest has sent is in its rings, and goes with it."""
    found = seen["end"]["datagrams"][card.name]
    for way in ("there", "back"):
        assert found[way]["bad"] == found[way]["late"] == found[way]["again"] == 0, found
    assert found["there"]["gap_count"] <= len(HOPS), found
    assert found["back"]["gap_count"] == 0, found
    expect_ping(seen["end"]["ping"][card.name])


def test_the_device_has_met_with_nothing_wrong(seen):
    expect_counters(seen["counters"])


def test_the_guests_kernel_complains_of_nothing(seen):
    assert not seen["complaints"]


def test_all_is_given_back(seen):
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0
