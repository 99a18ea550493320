# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: a guest migrates to another QEMU, and back to a third that has the taps of the first, with traffic on
every card.

    host 10.99.N.1 -- bridge N -- tap "CARDa" -- QEMU A, and later C
                             `--- tap "CARDb" -- QEMU B
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cards import MIGRATED
from machine import Machine, Report
from traffic import HELD_PORT, LIMIT, Traffic, endless, serve
from wires import Bridge, VhostDevice, Wire

from guests.errors import GuestError, say
from guests.nested import run

# Bytes a second: for memory as a whole; for what is written meanwhile, so slow that the migration is not done before it
# is told to be (many short rounds would do too, but each costs the guest a fault for every page it writes); and for
# the rest.
FIRST, TRICKLE, REST = 32 << 20, 256 << 10, 4 << 30
# Enough that a round takes longer than it takes to ask how far the migration is, or to be done while nobody asks.
WRITER = "while :; do dd if=/dev/zero of=/dev/shm/written bs=1M count=16 conv=notrunc; sleep 1; done >/dev/null 2>&1 &"
HELD = 48 << 10  # bytes that wait in a socket of the guest while it migrates: less than TCP's first window
QUEUED = 10_000  # packets that may wait in a tap
SOCKETS = 4  # of this kind for each card
# Milliseconds that the guest may stand still; QEMU 7.2 takes none at all for leave to stop without a second round.
BRIEF, PATIENT = 1, 60_000


def observe(report: Report, device: VhostDevice, images: dict) -> None:
    log: Path = images.pop("log")
    with ExitStack() as stack:
        ports = {}
        for number, card in enumerate(MIGRATED):
            bridge = stack.enter_context(Bridge(number))
            for side in "ab":
                wire = stack.enter_context(Wire(number, card, bridge=bridge.name, suffix=side))
                run("ip", "link", "set", wire.tap_name, "txqueuelen", str(QUEUED))
                ports.setdefault(side, []).append(wire)

        def qemu(name: str, side: str, *arguments: str) -> Machine:
            console = log.with_name(f"{log.stem}-{name}{log.suffix}")
            machine = Machine(device, ports[side], arguments=arguments, memory=384, log=console, **images)
            stack.callback(machine.stop)
            machine.start()
            return machine

        with report.part("start") as seen:
            guest = qemu("A", "a")
            guest.wait_ready()
            serve(guest)
            for wire in ports["a"]:
                introduce(guest, wire)
            guest.check(WRITER)
            seen["negotiated"] = {card: guest.negotiated(card) for card in guest.wires}
        streams = {wire.card.name: stack.enter_context(endless(wire.guest, 1 << 15)) for wire in ports["a"]}
        datagrams = {
            wire.card.name: stack.enter_context(
                Traffic("udp", wire.guest, count="on", rate=10, min=64, max=1400)
            )
            for wire in ports["a"]
        }
        for number, (name, side) in enumerate((("B", "b"), ("C", "a"))):
            with report.part(f"hop {number}") as seen:
                socket = Path(tempfile.mkdtemp(prefix="migration-"), "socket")
                other = qemu(name, side, "-incoming", f"unix:{socket}")
                try:
                    migrate(guest, other, socket, seen)
                except GuestError:
                    seen["state"] = {"of the one": guest.state(), "of the other": other.state()}
                    raise
                guest.stop()
                guest = other
                for client in (*streams.values(), *datagrams.values()):
                    client.wait_flowing(1)
                seen["negotiated"] = {card: guest.negotiated(card) for card in guest.wires}
                seen["users"] = device.users()
                seen["workers"] = len(device.workers(guest.process.pid))
        with report.part("end") as seen:
            seen["streams"] = {card: client.stop() for card, client in streams.items()}
            seen["datagrams"] = {card: client.stop() for card, client in datagrams.items()}
            seen["ping"] = {card: guest.ping(card) for card in guest.wires}
        report["counters"] = {name: guest.counters(name) for name in guest.wires}
        report["complaints"] = guest.complaints()
        report["exit status"] = guest.power_off()


def introduce(guest: Machine, wire: Wire) -> None:
    """Host and guest know each other for good: a guest that stands still for long, on a slow machine, would else fail
    to answer for itself, and the host throw away what it has for it."""
    mac = Path(f"/sys/class/net/{wire.bridge}/address").read_text(encoding="ascii").strip()
    run("ip", "neigh", "replace", wire.guest, "lladdr", wire.mac, "dev", wire.bridge, "nud", "permanent")
    guest.check(f"ip neigh replace {wire.host} lladdr {mac} dev {wire.interface} nud permanent")


def migrate(guest: Machine, other: Machine, socket: Path, seen: dict) -> None:
    """Every page that a vhost device writes once memory has gone over must go over again. So data comes in late, and
    nobody in the guest looks at it before it runs on the other side: what the log has missed is not what was sent."""
    other.monitor("query-status")  # when it answers, it listens
    guest.check("killall -STOP held")
    guest.monitor("migrate-set-parameters", **{"max-bandwidth": FIRST, "downtime-limit": BRIEF})
    guest.monitor("migrate", uri=f"unix:{socket}")
    say("all memory once")
    # Asked often: the second round has to be still on its way when it is slowed down.
    wait_for_state(guest, in_second_round, "all memory to have gone over once")
    guest.monitor("migrate-set-parameters", **{"max-bandwidth": TRICKLE})
    seen["log enabled"] = {card: guest.status(card)["vhost-dev"]["log-enabled"] for card in guest.wires}
    say("data that nobody reads yet")
    with ExitStack() as stack:
        held = {
            card: [
                stack.enter_context(Traffic("tcp", wire.guest, HELD_PORT, up=HELD, down=0)) for _ in range(SOCKETS)
            ]
            for card, wire in guest.wires.items()
        }
        deadline = time.monotonic() + LIMIT
        while True:
            seen["held when it left"] = full_sockets(guest)
            if len(seen["held when it left"]) == SOCKETS * len(held):
                break
            if time.monotonic() > deadline:
                seen["state"] = guest.state()
                seen["sockets"] = guest.check("cat /proc/net/tcp")
                raise GuestError(f"waited {LIMIT} s for {HELD} bytes in {SOCKETS} sockets of each card")
        say("switch-over")
        state = guest.monitor("query-migrate")
        seen["rounds before"] = state["ram"]["dirty-sync-count"]
        seen["state before"] = state["status"]
        guest.monitor("migrate-set-parameters", **{"max-bandwidth": REST, "downtime-limit": PATIENT})
        state = wait_for_state(guest, lambda state: state["status"] == "completed", "the migration to complete")
        seen["migration"] = {what: state.get(what) for what in ("status", "downtime", "total-time", "ram")}
        say("on the other side")
        seen["held when it came"] = full_sockets(other)
        other.check("killall -CONT held")
        seen["held"] = {card: [client.finish() for client in clients] for card, clients in held.items()}


def in_second_round(state: dict) -> bool:
    return state["status"] == "active" and state["ram"]["dirty-sync-count"] > 1


def full_sockets(guest: Machine) -> list[str]:
    """The addresses of the held server's connections whose data waits to be read."""
    rows = [line.split() for line in guest.check("cat /proc/net/tcp").splitlines()[1:]]
    mine = [(row[2], int(row[4].partition(":")[2], 16)) for row in rows if row[1].endswith(f":{HELD_PORT:04X}")]
    return sorted(address for address, queued in mine if queued >= HELD)


def wait_for_state(guest: Machine, reached, what: str) -> dict:
    deadline = time.monotonic() + LIMIT
    while True:
        state = guest.monitor("query-migrate")
        if state.get("status") == "failed":
            raise GuestError(f"the migration failed: {state.get('error-desc', 'QEMU does not say why')}")
        if "ram" in state and reached(state):
            return state
        if state.get("status") == "completed":
            raise GuestError(f"the migration completed before {what}")
        if time.monotonic() > deadline:
            raise GuestError(f"waited {LIMIT} s for {what}; the migration is at {state}")
        time.sleep(0.02)
