# SPDX-License-Identifier: GPL-2.0-only
"""What is seen beside the machines of setups.py; scenario_NAME.py in the lab sees it.

Known to both sides: the program in the lab, and the tests that judge.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    name: str
    guest: str = "6.1"  # its kernel
    image: str = "vmlinux"  # or kernel: a bzImage
    lab_memory: str = "3G"
    disk: bool = False  # with Debian's
    vhost: bool = True  # with the vhost device


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("life"),
        Scenario("cards"),
        Scenario("ide", vhost=False),
    )
}
