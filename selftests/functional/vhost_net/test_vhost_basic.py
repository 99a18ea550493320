# SPDX-License-Identifier: GPL-2.0-only
"""Little traffic: on the debug kernels, which the lab lets complain of nothing; on every combination of options; with a
whole Debian in the guest."""

import pytest
from cards import BASIC, MATRIX
from conftest import (
    Seen,
    expect_carried,
    expect_counters,
    expect_datagrams,
    expect_negotiated,
    expect_ping,
    expect_stream,
)

EACH_CARD = pytest.mark.parametrize("card", BASIC, ids=lambda card: card.name)


@pytest.fixture(scope="module", params=["debug", pytest.param("debug-6.12", marks=pytest.mark.full)])
def seen(request, seen_in) -> Seen:
    return seen_in("basic", request.param)


def expect_traffic(seen: Seen, card) -> None:
    expect_negotiated(card, seen["negotiated"][card.name])
    traffic = seen[f"traffic {card.name}"]
    expect_ping(traffic["ping"])
    expect_stream(traffic["tcp"])
    expect_datagrams(traffic["udp"])
    expect_carried(traffic)


def expect_clean_end(seen: Seen) -> None:
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    expect_counters(seen["counters"])
    assert not seen["complaints"]
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0


@EACH_CARD
def test_traffic(seen, card):
    expect_traffic(seen, card)
    expect_stream(seen[f"link {card.name}"]["tcp"])


def test_the_debug_kernel_is_silent(seen):
    """Nor is there a leak."""
    expect_clean_end(seen)


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def matrix(request, seen_in) -> Seen:
    return seen_in("matrix", request.param)


@pytest.mark.full
@pytest.mark.parametrize("card", MATRIX, ids=lambda card: card.name)
def test_every_combination(matrix, card):
    expect_traffic(matrix, card)
    expect_stream(matrix[f"link {card.name}"]["tcp"])


@pytest.mark.full
def test_every_combination_leaves_nothing_behind(matrix):
    expect_clean_end(matrix)


@pytest.mark.full
@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_a_debian_system(seen_in, kernel):
    seen = seen_in("debian", kernel, disk=True)
    assert seen["boot"]["system"] == ["debian", "systemd"]
    for card in BASIC:
        expect_traffic(seen, card)
    expect_clean_end(seen)
