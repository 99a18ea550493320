# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: a guest whose cards are behind an IOMMU, so that the device has to ask QEMU where its buffers are."""

from contextlib import ExitStack

from cards import BASIC
from machine import Machine, Report
from scenario_options import at_work, carry, pull_the_plug, resize
from traffic import serve
from wires import VhostDevice, Wire

MACHINE = (
    "-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on,device-iotlb=on",
)  # fmt: skip
CARD = "iommu_platform=on,ats=on,disable-legacy=on"
# Every buffer is mapped when it is given to the card, and unmapped at once when it comes back.
GUEST = "intel_iommu=on iommu.strict=1"


def observe(report: Report, device: VhostDevice, images: dict) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(number, card)) for number, card in enumerate(BASIC)]
        machine = Machine(device, wires, options=CARD, arguments=MACHINE, append=GUEST, **images)
        stack.callback(machine.stop)
        with report.part("boot") as seen:
            machine.start()
            machine.wait_ready()
            for name, wire in machine.wires.items():
                # A virtio device is the child of the PCI device, whose group tells that its accesses are translated.
                group = f"/sys/class/net/{wire.interface}/device/../iommu_group/type"
                seen[name] = machine.check(f"cat {group}").strip()
        serve(machine)
        at_work(report, device, machine)
        for name in machine.wires:
            with report.part(f"traffic {name}", machine) as seen:
                carry(machine, name, seen)
            with report.part(f"resize {name}", machine) as seen:
                resize(machine, name, seen)
            with report.part(f"link {name}", machine) as seen:
                pull_the_plug(machine, name, seen)
        report["counters"] = {name: machine.counters(name) for name in machine.wires}
        report["complaints"] = machine.complaints()
        report["exit status"] = machine.power_off()
