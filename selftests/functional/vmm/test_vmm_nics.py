# SPDX-License-Identifier: GPL-2.0-only
"""Emulated cards in a guest under the VMM: Linux's own drivers carry traffic, filter, lose the link, are reset."""

import pytest
from conftest import TRAFFIC, VMM
from nics import AMOUNT, BY_NAME, FRAMES, NICS
from seen import Seen, expect_datagrams, expect_ping, expect_stream, guest_image

EACH_CARD = pytest.mark.parametrize("nic", NICS, ids=[nic.id for nic in NICS])

ALL_REFUSED = {"refused": FRAMES, "driver": 0}
ALL_TAKEN = {"refused": 0, "driver": FRAMES}


@pytest.fixture(scope="session")
def seen(lab) -> Seen:
    for program in (VMM, TRAFFIC):
        assert program.exists(), f"{program} is not here; run make vmm"
    images = [guest_image(what, "6.1") for what in ("vmlinux", "initrd")]
    command = ["selftests/functional/vmm/observe_nics", str(VMM), *images, str(TRAFFIC), "report.json"]
    return Seen(lab(*command, kernel="6.1", options=("--timeout", "1200", "--mem", "3G")))


@EACH_CARD
def test_driver_finds_its_card(seen, nic):
    found = seen[f"identity {nic.id}"]
    assert found["driver"] == nic.driver
    assert found["mac"] == found["wanted mac"]


@EACH_CARD
def test_traffic_goes_both_ways(seen, nic):
    found = seen[f"traffic {nic.id}"]
    expect_ping(found["small"])
    expect_ping(found["large"])
    expect_stream(found["tcp"])
    expect_datagrams(found["udp"])


@EACH_CARD
def test_counters_tell_what_it_costs(seen, nic):
    found = seen[f"traffic {nic.id}"]
    counted = found["counted"]
    for way in ("rx", "tx"):
        assert counted[f"{way}-bytes"] > AMOUNT, counted
        assert counted[f"{way}-errors"] == counted[f"{way}-drops"] == 0, counted
    if nic.dma:
        assert counted["dma-bytes"] > counted["rx-bytes"] + counted["tx-bytes"], counted
    assert counted["traps"] >= counted["interrupts"] > 0, counted
    assert found["interrupts"] > 0


@EACH_CARD
@pytest.mark.parametrize("to", ["own", "broadcast", "promiscuous", "group", "all groups"])
def test_takes_what_is_for_it(seen, nic, to):
    assert seen[f"filters {nic.id}"][to] == ALL_TAKEN


@EACH_CARD
@pytest.mark.parametrize("to", ["foreign", "foreign again", "group before", "other group"])
def test_refuses_what_is_not(seen, nic, to):
    assert seen[f"filters {nic.id}"][to] == ALL_REFUSED


@pytest.mark.parametrize("nic", [nic for nic in NICS if nic.link], ids=lambda nic: nic.id)
def test_link_goes_down_and_up(seen, nic):
    found = seen[f"link {nic.id}"]
    assert found["carrier"] == [False, True]
    expect_ping(found["ping"])


@EACH_CARD
def test_is_restarted_under_traffic(seen, nic):
    expect_stream(seen[f"restart {nic.id}"]["tcp"])


@EACH_CARD
def test_stops_and_goes_on(seen, nic):
    found = seen[f"stop {nic.id}"]
    assert found["stopped"]
    expect_stream(found["tcp"])


@EACH_CARD
def test_works_after_a_reset_of_the_machine(seen, nic):
    expect_ping(seen["reset"][nic.id])


@pytest.mark.parametrize("state", ["on", "off"])
def test_e1000_offloads(seen, state):
    """With them, segments leave the guest uncut and checksums are left to the host; without, neither."""
    assert BY_NAME["e1000"].offloads
    found = seen["offloads e1000"][state]
    expect_stream(found["tcp"])
    expect_datagrams(found["udp"])
    sent = found["wire"]["in"]
    if state == "on":
        assert sent["longest"] > 1514 and sent["open_checksums"] == sent["packets"], found["wire"]
        assert found["sums"] > 0
    else:
        assert sent["longest"] == 1514 and sent["open_checksums"] == 0, found["wire"]
        assert found["sums"] == 0


def test_ends_cleanly(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    assert not seen["complaints"]
    assert seen["exit status"] == 0
