# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: a Debian system with systemd on a disk of its own, as a user would have it."""

from contextlib import ExitStack

from cards import BASIC
from machine import Debian, Report
from scenario_options import at_work, carry
from traffic import Traffic, serve
from wires import VhostDevice, Wire


def observe(report: Report, device: VhostDevice, images: dict) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(number, card)) for number, card in enumerate(BASIC)]
        machine = Debian(device, wires, Traffic.program, **images)
        stack.callback(machine.stop)
        with report.part("boot") as seen:
            machine.start()
            machine.wait_ready()
            machine.set_up()
            seen["system"] = machine.check(". /etc/os-release; echo $ID; cat /proc/1/comm").split()
        serve(machine)
        at_work(report, device, machine)
        for name in machine.wires:
            with report.part(f"traffic {name}", machine) as seen:
                carry(machine, name, seen)
        report["complaints"] = machine.complaints()
        report["exit status"] = machine.power_off()
