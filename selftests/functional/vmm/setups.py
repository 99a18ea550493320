# SPDX-License-Identifier: GPL-2.0-only
"""The machines that are booted, and what has to be negotiated by their devices.

Known to both sides: the program in the lab that boots them, and the tests that judge.
"""

from dataclasses import dataclass, field

# Bits of virtio 1.2, 5 and 6.
NET_BITS = {"CSUM": 0, "GUEST_CSUM": 1, "MAC": 5, "MRG_RXBUF": 15, "STATUS": 16, "CTRL_VQ": 17}
RING_BITS = {"INDIRECT": 28, "EVENT_IDX": 29, "VERSION_1": 32, "PACKED": 34}

RINGS = frozenset({"INDIRECT", "EVENT_IDX"})
OF_A_CARD = frozenset(NET_BITS)


@dataclass(frozen=True)
class Card:
    name: str  # of its tap too
    path: str  # which carries its packets: user or vhost
    properties: str = ""
    absent: frozenset[str] = frozenset()  # bits that these properties take away


@dataclass(frozen=True)
class Setup:
    name: str
    guest: str  # its kernel
    cpus: int
    image: str  # kernel: bzImage; vmlinux: ELF, which takes a third of the time
    cards: tuple[Card, ...]
    properties: str = ""  # of its other virtio devices
    append: str = ""
    memory: str = "512"  # -m
    interrupts: str = "MSI"  # in the guest's words
    modern: bool = True
    switched: tuple[str, ...] = ()  # cards whose path is changed again and again
    resets: bool = False  # by the monitor, once all else is seen
    small: bool = False  # what the VMM itself takes is judged

    def rings(self, properties: str) -> frozenset[str]:
        """Bits of a ring that its driver has to have accepted."""
        version = {"VERSION_1"} if self.modern else set()
        packed = {"PACKED"} if "packed=on" in properties else set()
        return frozenset(RINGS | version | packed)

    def bits(self, card: Card) -> frozenset[str]:
        return (self.rings(card.properties) | OF_A_CARD) - card.absent


SPLIT = (Card("user", "user"), Card("vhost", "vhost"))
PACKED = (Card("userp", "user", "packed=on"), Card("vhostp", "vhost", "packed=on,disable-legacy=on"))
BARE = Card("bare", "user", "event_idx=off,indirect_desc=off,mrg_rxbuf=off,csum=off,guest_csum=off",
            frozenset({"EVENT_IDX", "INDIRECT", "MRG_RXBUF", "CSUM", "GUEST_CSUM"}))  # fmt: skip

SETUPS = {
    setup.name: setup
    for setup in (
        Setup("modern", "6.1", 1, "vmlinux", (*SPLIT, *PACKED), switched=("vhost", "vhostp"), resets=True),
        Setup("smp", "6.12", 4, "kernel", (*PACKED, BARE), properties="packed=on"),
        Setup(
            "legacy", "6.1", 2, "vmlinux", SPLIT,
            append="virtio_pci.force_legacy=1", modern=False, switched=("vhost",), small=True,
        ),  # fmt: skip
    )
}

SWITCHES = 100  # of a card's path, under traffic
AMOUNT = 4 << 20  # bytes of TCP each way
DISK_SIZE = 64 << 20
WRITTEN_AT, WRITTEN = 48 << 20, 8 << 20  # of the disk, by the guest; the host reads it in the end
VERIFIED = 16 << 20  # of it by fio, from its beginning


@dataclass(frozen=True)
class Devices:
    """Names, in the monitor, of what every machine has beside its cards."""

    disk: str = "disk0"
    rng: str = "rng0"
    console: str = "console0"
    drivers: dict[str, str] = field(
        default_factory=lambda: {"disk0": "virtio_blk", "rng0": "virtio_rng", "console0": "virtio_console"}
    )
