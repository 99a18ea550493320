# SPDX-License-Identifier: GPL-2.0-only
"""The cards of scenario_cards.py: what is at their other end, and what has to be seen of each.

Known to both sides: the program in the lab that plugs them, and the tests that judge.
"""

from dataclasses import dataclass

MIB = 1 << 20
BITS = {"MTU": 3, "MAC": 5, "MRG_RXBUF": 15, "CTRL_VQ": 17, "MQ": 22, "VERSION_1": 32, "PACKED": 34}
PLAIN = frozenset({"MAC", "MRG_RXBUF", "CTRL_VQ", "VERSION_1"})


@dataclass(frozen=True)
class Plug:
    name: str  # of the card, and of its interface on the host
    path: str  # that has to carry its packets
    kind: str = "tap"  # tap: it was there before; create: the VMM makes it, in a bridge; fd: open already; macvtap
    queues: int = 1
    mtu: int = 1500
    packed: bool = False
    amount: int = 2 * MIB  # bytes of TCP, each way
    vhost: str = ""  # -netdev's words, if they are others than those for the path
    counted: bool = True  # the device that carries the packets counts them
    vlan: bool = False
    switched: bool = False  # to the other path and back, under load
    unplugged: bool = False  # at the end, under load

    @property
    def bits(self) -> frozenset[str]:
        """Of BITS those that the guest has to have accepted; the others it must not."""
        found = set(PLAIN)
        found |= {"MQ"} if self.queues > 1 else set()
        found |= {"MTU"} if self.mtu != 1500 else set()
        found |= {"PACKED"} if self.packed else set()
        return frozenset(found)


PLUGS = (
    Plug("mq-user", "user", queues=2, amount=64 * MIB, switched=True),
    Plug("mq-vhost", "vhost", queues=2, amount=64 * MIB, packed=True, switched=True),
    Plug("jumbo-user", "user", mtu=9000, packed=True, vlan=True),
    Plug("jumbo-vhost", "vhost", mtu=9000, vlan=True),
    Plug("made-user", "user", kind="create"),
    Plug("made-vhost", "vhost", kind="create"),
    Plug("fd-user", "user", kind="fd"),
    Plug("fds-vhost", "vhost", kind="fd", queues=2),
    Plug("mac-user", "user", kind="macvtap"),
    Plug("mac-vhost", "vhost", kind="macvtap"),
    Plug("kernels-own", "vhost", vhost="vhost=on,vhostdev=/dev/vhost-net", counted=False),
    Plug("try-none", "user", vhost="vhost=try,vhostdev=/dev/vireo-none"),
    Plug("gone-user", "user", unplugged=True),
    Plug("gone-vhost", "vhost", unplugged=True),
)
