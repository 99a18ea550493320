# SPDX-License-Identifier: GPL-2.0-only
"""Debian on a disk, with systemd, in the guest: scenario_debian.py drives it, this judges."""

import pytest
from cards import BASIC
from conftest import expect_clean_end, expect_traffic
from seen import Seen


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request, seen_in) -> Seen:
    return seen_in("debian", request.param, disk=True)


def test_it_is_debian(seen):
    assert seen["boot"]["system"] == ["debian", "systemd"]


@pytest.mark.parametrize("card", BASIC, ids=lambda card: card.name)
def test_traffic(seen, card):
    expect_traffic(seen, card)


def test_nothing_is_left_behind(seen):
    expect_clean_end(seen)
