# SPDX-License-Identifier: GPL-2.0-only
"""Cards of a guest whose rings a vhost device serves: how each is made, and what has to be negotiated for it.

Known to both sides: the program in the lab that plugs them, and the tests that judge.
"""

import itertools
from dataclasses import dataclass

# Bits of virtio 1.2, 5.1.3 and 6, with the names that QEMU's monitor gives them.
BITS = {
    "MRG_RXBUF": (15, "VIRTIO_NET_F_MRG_RXBUF"),
    "INDIRECT": (28, "VIRTIO_RING_F_INDIRECT_DESC"),
    "EVENT_IDX": (29, "VIRTIO_RING_F_EVENT_IDX"),
    "VERSION_1": (32, "VIRTIO_F_VERSION_1"),
    "ACCESS_PLATFORM": (33, "VIRTIO_F_IOMMU_PLATFORM"),
    "PACKED": (34, "VIRTIO_F_RING_PACKED"),
    "RING_RESET": (40, "VIRTIO_F_RING_RESET"),
}

MODERN = frozenset({"MRG_RXBUF", "INDIRECT", "EVENT_IDX", "VERSION_1", "RING_RESET"})


@dataclass(frozen=True)
class Card:
    name: str  # of its tap too
    options: str  # -device virtio-net-pci's
    negotiated: frozenset[str]  # of BITS; the others have to be absent
    queues: int = 1


OPTIONS = (
    Card("split", "", MODERN),
    Card("packed", "packed=on", MODERN | {"PACKED"}),
    Card("noevent", "event_idx=off", MODERN - {"EVENT_IDX"}),
    Card("nodirect", "indirect_desc=off", MODERN - {"INDIRECT"}),
    Card("nomrg", "mrg_rxbuf=off", MODERN - {"MRG_RXBUF"}),
    Card("legacy", "disable-modern=on,disable-legacy=off", MODERN - {"VERSION_1", "RING_RESET"}),
    Card(
        "bare",
        "packed=on,event_idx=off,indirect_desc=off,mrg_rxbuf=off",
        frozenset({"PACKED", "VERSION_1", "RING_RESET"}),
    ),
    Card("mq", "mq=on,vectors=6", MODERN, queues=2),
)



def _matrix() -> tuple[Card, ...]:
    """Every way to switch options that concern the rings."""
    switches = {"EVENT_IDX": "event_idx", "INDIRECT": "indirect_desc", "MRG_RXBUF": "mrg_rxbuf"}
    kinds = {
        "split": ("disable-legacy=on", MODERN),
        "packed": ("disable-legacy=on,packed=on", MODERN | {"PACKED"}),
        "legacy": ("disable-modern=on,disable-legacy=off", MODERN - {"VERSION_1", "RING_RESET"}),
    }
    cards = []
    for (kind, (options, negotiated)), *values in itertools.product(kinds.items(), *[(True, False)] * len(switches)):
        off = [bit for bit, on in zip(switches, values, strict=True) if not on]
        options = ",".join([options, *(f"{switches[bit]}=off" for bit in off)])
        name = kind + "".join("01"[value] for value in values)
        cards.append(Card(name, options, negotiated - set(off)))
    return tuple(cards)


MATRIX = _matrix()

# On which cards of OPTIONS everything is tried, not only traffic.
TAKEN_FURTHER = ("split", "packed")

BASIC = tuple(card for card in OPTIONS if card.name in TAKEN_FURTHER)
MIGRATED = tuple(card for card in OPTIONS if card.name in ("split", "packed", "nomrg", "bare"))

# Receive and transmit ring.
RING_SIZES = ((128, 64), (64, 256), (256, 128), (256, 256))


@dataclass(frozen=True)
class Offloads:
    """A setting of ethtool -K, and what is to be seen of it on the tap: whether packets longer than the wire's come
    from the guest (in) and go to it (out), and whether their checksums are left open."""

    guest: str
    host: str
    long_in: bool
    long_out: bool
    open_in: bool
    open_out: bool


OFFLOADS = {
    "all": Offloads("", "", True, True, True, True),
    "no TSO in the guest": Offloads("tso off", "", False, True, True, True),
    "no GSO either": Offloads("gso off", "", False, True, True, True),
    "no TX checksum": Offloads("tx off", "", False, True, False, True),
    "no long packets to the guest": Offloads("rx-gro-hw off", "", False, False, False, True),
    "no TX checksum on the host": Offloads("", "tx off", False, False, False, False),
    "all again": Offloads("tx on tso on gso on rx-gro-hw on", "tx on tso on", True, True, True, True),
}
