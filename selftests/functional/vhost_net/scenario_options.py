# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: one guest with a card for each set of options, all that is done with cards, and a reboot."""

import contextlib
import time
from contextlib import ExitStack
from typing import Iterator

from cards import OFFLOADS, OPTIONS, RING_SIZES, TAKEN_FURTHER
from machine import Machine, Report
from traffic import endless, serve, tcp, udp, watched
from wires import VhostDevice, Wire, copied_by

from guests.errors import say
from guests.nested import run

AMOUNT = 1 << 20  # bytes of TCP each way
JUMBO = 9000


def observe(report: Report, device: VhostDevice, images: dict) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(number, card)) for number, card in enumerate(OPTIONS)]
        machine = Machine(device, wires, **images)
        stack.callback(machine.stop)
        with report.part("boot"):
            machine.start()
            machine.wait_ready()
        serve(machine)
        at_work(report, device, machine)
        for name in machine.wires:
            with report.part(f"traffic {name}", machine) as seen:
                carry(machine, name, seen)
        for name in TAKEN_FURTHER:
            with report.part(f"offloads {name}", machine) as seen:
                set_offloads(machine, name, seen)
            with report.part(f"resize {name}", machine) as seen:
                resize(machine, name, seen)
            with report.part(f"link {name}", machine) as seen:
                pull_the_plug(machine, name, seen)
        with report.part("queues", machine) as seen:
            change_queues(machine, "mq", seen)
        for name in machine.wires:
            with report.part(f"jumbo {name}", machine) as seen:
                carry_jumbo(machine, name, seen)
        with report.part("reboot", machine) as seen:
            seen["complaints before"] = machine.complaints()
            reboot(machine, seen)
        report["counters"] = {name: machine.counters(name) for name in machine.wires}
        report["complaints"] = machine.complaints()
        report["workers at the end"] = len(device.workers(machine.process.pid))
        report["exit status"] = machine.power_off()


def at_work(report: Report, device: VhostDevice, machine: Machine) -> None:
    with report.part("negotiated", machine) as seen:
        for name in machine.wires:
            seen[name] = machine.negotiated(name)
    report["users"] = device.users()
    report["workers"] = len(device.workers(machine.process.pid))


def carry(machine: Machine, name: str, seen: dict) -> None:
    wire = machine.wires[name]
    seen["ping"] = machine.ping(name)
    copied, carried = copied_by(machine.process.pid), machine.carried(name, "bytes")
    seen["tcp"] = tcp(wire.guest, AMOUNT, AMOUNT)
    seen["udp"] = udp(wire.guest, count=500, window=32, smallest=32, largest=1472)
    if copied is not None:
        seen["copied by QEMU"] = copied_by(machine.process.pid) - copied
    seen["carried by the device"] = moved(carried, machine.carried(name, "bytes"))


def moved(before: list[dict], after: list[dict]) -> list[dict]:
    return [{way: now[way] - then[way] for way in now} for then, now in zip(before, after, strict=True)]


def set_offloads(machine: Machine, name: str, seen: dict) -> None:
    """What the tap carries tells whether a setting was obeyed."""
    wire = machine.wires[name]
    for what, offloads in OFFLOADS.items():
        if offloads.guest:
            machine.check(f"ethtool -K {wire.interface} {offloads.guest}")
        if offloads.host:
            run("ethtool", "-K", wire.tap_name, *offloads.host.split())
        with watched(wire.tap_name) as packets:
            result = {"tcp": tcp(wire.guest, AMOUNT, AMOUNT), "udp": udp(wire.guest, 100, 8, 32, 1472)}
        seen[what] = {**result, "packets": packets}


def resize(machine: Machine, name: str, seen: dict) -> None:
    """A ring changes its size by being reset; the driver does it while both its rings are in use."""
    wire = machine.wires[name]
    with endless(wire.guest) as client:
        client.wait_flowing()
        seen["steps"] = []
        for receive, transmit in RING_SIZES:
            done = machine.run(f"ethtool -G {wire.interface} rx {receive} tx {transmit}")
            client.wait_flowing()
            sizes = [machine.queue(name, queue)["vring-num"] for queue in (0, 1)]
            seen["steps"].append({"asked": [receive, transmit], "found": sizes, **done._asdict()})
        seen["tcp"] = client.stop()


def pull_the_plug(machine: Machine, name: str, seen: dict) -> None:
    """QEMU 7.2 gives back what the guest sends on a card without link. On a packed ring it does so with the index of
    the used ring as the vhost device left it, which it has most likely misread (QEMU 8.1 masks it), and ends in an
    assertion. There the guest receives, but is kept from sending, while its link is down."""
    wire = machine.wires[name]
    packed = "PACKED" in wire.card.negotiated
    with endless(wire.guest) as client:
        client.wait_flowing()
        for _ in range(2):
            with silenced(machine, name) if packed else contextlib.nullcontext():
                for up in (False, True):
                    machine.monitor("set_link", name=name, up=up)
                    machine.wait_for(f"grep -qx {int(up)} /sys/class/net/{wire.interface}/carrier")
                    seen.setdefault("vhost started", []).append(machine.status(name)["vhost-started"])
            client.wait_flowing()
        seen["tcp"] = client.stop()
    seen["ping"] = machine.ping(name)


@contextlib.contextmanager
def silenced(machine: Machine, name: str) -> Iterator[None]:
    """The guest still receives; what it would send is thrown away before it comes to the card."""
    root = f"dev {machine.wires[name].interface} root"
    machine.check(f"tc qdisc replace {root} blackhole")
    before = None
    while (now := [pair["transmit"] for pair in machine.carried(name, "chains")]) != before:
        before = now
        time.sleep(0.1)
    yield
    machine.check(f"tc qdisc del {root}")


def change_queues(machine: Machine, name: str, seen: dict) -> None:
    """A connection stays on the queue that it was given, so each step makes new ones, which take one or
    another."""
    wire = machine.wires[name]
    with endless(wire.guest) as client:
        client.wait_flowing()
        seen["steps"] = []
        for queues in (2, 1, 2):
            machine.check(f"ethtool -L {wire.interface} combined {queues}")
            before = machine.carried(name)
            streams = [tcp(wire.guest, 1 << 15, 1 << 15) for _ in range(16)]
            client.wait_flowing()
            pairs = moved(before, machine.carried(name))
            seen["steps"].append({"queues": queues, "pairs": pairs, "tcp": streams})
        seen["tcp"] = client.stop()


def carry_jumbo(machine: Machine, name: str, seen: dict) -> None:
    wire = machine.wires[name]
    machine.check(f"ip link set {wire.interface} mtu {JUMBO}")
    run("ip", "link", "set", wire.tap_name, "mtu", str(JUMBO))
    with watched(wire.tap_name) as packets:
        seen["udp"] = udp(wire.guest, count=100, window=8, smallest=JUMBO // 2, largest=JUMBO - 28)
    seen["packets"] = packets
    seen["ping"] = machine.ping(name, size=JUMBO - 28)
    seen["tcp"] = tcp(wire.guest, AMOUNT, AMOUNT)


def reboot(machine: Machine, seen: dict) -> None:
    """In the middle of traffic, so that the rings are in use when they are taken away."""
    with ExitStack() as stack:
        for name in TAKEN_FURTHER:
            stack.enter_context(endless(machine.wires[name].guest)).wait_flowing()
        machine.monitor("set-action", reboot="reset")
        say("reboot: now")
        machine.check("{ sleep 0.2; reboot -f; } >/dev/null 2>&1 &")
        machine.wait_ready()
    machine.monitor("set-action", reboot="shutdown")
    serve(machine)
    for name, wire in machine.wires.items():
        seen[name] = {
            "negotiated": machine.negotiated(name),
            "ping": machine.ping(name),
            "tcp": tcp(wire.guest, AMOUNT // 4, AMOUNT // 4),
        }
