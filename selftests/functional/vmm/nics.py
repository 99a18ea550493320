# SPDX-License-Identifier: GPL-2.0-only
"""The emulated cards, all of them in one guest, and what is true of each.

Known to both sides: the program in the lab that boots the guest, and the tests that judge.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Nic:
    model: str
    driver: str  # Linux's
    properties: str = ""
    link: bool = True  # its driver can see whether the cable is in
    offloads: bool = False
    dma: bool = True
    name: str = ""  # if it is not the model's

    @property
    def id(self) -> str:
        return self.name or self.model.replace("_", "")


NICS = (
    Nic("e1000", "e1000", offloads=True),
    Nic("rtl8139", "8139cp"),
    Nic("rtl8139c", "8139too"),
)
BY_NAME = {nic.id: nic for nic in NICS}

AMOUNT = 1 << 20  # bytes of TCP each way
DATAGRAMS = 200
FRAMES = 40  # to addresses that a card wants, or does not
