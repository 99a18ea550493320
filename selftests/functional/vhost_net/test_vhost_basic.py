# SPDX-License-Identifier: GPL-2.0-only
"""Little traffic: on the debug kernels, which the lab lets complain of nothing; on every combination of options."""

import pytest
from cards import BASIC, MATRIX
from conftest import expect_clean_end, expect_traffic
from seen import Seen, expect_stream

EACH_CARD = pytest.mark.parametrize("card", BASIC, ids=lambda card: card.name)


@pytest.fixture(scope="module", params=["debug", pytest.param("debug-6.12", marks=pytest.mark.full)])
def seen(request, seen_in) -> Seen:
    return seen_in("basic", request.param)


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
