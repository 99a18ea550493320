# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: little traffic, on a split and a packed ring for kernels that check much and are slow, or on many."""

from contextlib import ExitStack

from cards import BASIC, Card
from machine import Machine, Report
from scenario_options import at_work, carry, pull_the_plug
from traffic import serve
from wires import VhostDevice, Wire


def observe(report: Report, device: VhostDevice, images: dict, cards: tuple[Card, ...] = BASIC) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(number, card)) for number, card in enumerate(cards)]
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
            with report.part(f"link {name}", machine) as seen:
                pull_the_plug(machine, name, seen)
        report["counters"] = {name: machine.counters(name) for name in machine.wires}
        report["complaints"] = machine.complaints()
        report["exit status"] = machine.power_off()
