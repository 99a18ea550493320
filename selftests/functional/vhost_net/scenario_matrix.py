# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: little traffic on a card for every way to switch the options of rings."""

import scenario_basic
from cards import MATRIX
from machine import Report
from wires import VhostDevice


def observe(report: Report, device: VhostDevice, images: dict) -> None:
    scenario_basic.observe(report, device, images, MATRIX)
