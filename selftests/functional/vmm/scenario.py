# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: what is done with the guest of a setup. It judges nothing."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from machine import Report
from setups import AMOUNT, SWITCHES, VERIFIED, WRITTEN, WRITTEN_AT, Setup
from traffic import Traffic, endless, serve, tcp, udp
from vireo import Cable, Disk, Vireo
from wires import VhostDevice

PATTERN = f"yes vireo | head -c {WRITTEN}"


def observe(report: Report, setup: Setup, program: Path, device: VhostDevice, images: dict) -> None:
    with ExitStack() as stack:
        cables = [stack.enter_context(Cable(number, card)) for number, card in enumerate(setup.cards)]
        if "hugetlb=on" in setup.memory:
            Path("/proc/sys/vm/nr_hugepages").write_text("256\n", encoding="ascii")
        disk = Disk(Path(tempfile.mkdtemp(prefix="disk-"), "image"))
        guest = Vireo(program, setup, cables, device, disk.path, **images)
        stack.callback(guest.stop)
        with report.part("boot") as seen:
            guest.start()
            guest.wait_ready()
            look_around(guest, seen)
        with report.part("negotiated", guest) as seen:
            look_at_features(guest, seen)
        serve(guest)
        for card in guest.cables:
            with report.part(f"traffic {card}", guest) as seen:
                carry(guest, card, seen)
        with report.part("disk", guest) as seen:
            use_disk(guest, disk, seen)
        with report.part("rng", guest) as seen:
            use_rng(guest, seen)
        with report.part("console", guest) as seen:
            use_console(guest, seen)
        for card in setup.switched:
            with report.part(f"switch {card}", guest) as seen:
                switch_paths(guest, card, seen)
        with report.part("stop and go on", guest) as seen:
            stop_and_go_on(guest, setup.cards[0].name, seen)
        with report.part("link", guest) as seen:
            pull_the_cable(guest, setup.cards[0].name, seen)
        if setup.resets:
            with report.part("reset", guest) as seen:
                reset(guest, setup.cards[0].name, seen)
        with report.part("power button", guest) as seen:
            press_power_button(guest, seen)
        report["complaints"] = guest.complaints()
        report["resident"] = resident(guest)
        report["exit status"] = guest.power_off()
        report["written"] = disk.digest(WRITTEN_AT, WRITTEN)


def look_around(guest: Vireo, seen: dict) -> None:
    seen["kernel"] = guest.check("uname -r").strip()
    seen["cpus"] = int(guest.check("nproc"))
    seen["clock"] = guest.check("cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip()
    seen["status"] = guest.monitor("query-status")
    seen["memory"] = 1024 * int(guest.check("grep ^MemTotal: /proc/meminfo").split()[1])
    seen["above 4 GiB"] = guest.run("grep -q '^100000000-.*System RAM' /proc/iomem").status == 0
    seen["interrupts"] = guest.check("grep virtio /proc/interrupts").splitlines()
    seen["huge pages"] = huge_pages_in_use()
    seen["vcpus"] = len(guest.monitor("query-cpus-fast"))


def huge_pages_in_use() -> int:
    """Bytes; the host's."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (fields["HugePages_Total"] - fields["HugePages_Free"]) * fields["Hugepagesize"] * 1024


def look_at_features(guest: Vireo, seen: dict) -> None:
    for name, cable in guest.cables.items():
        where = f"/sys/class/net/{cable.interface}/device"
        seen[name] = {"guest": guest.accepted(where), "vmm": guest.features(name)}
    for name, driver in guest.devices.drivers.items():
        where = f"/sys/bus/virtio/drivers/{driver}/virtio*"
        seen[name] = {"guest": guest.accepted(where), "vmm": guest.features(name)}


def carry(guest: Vireo, card: str, seen: dict) -> None:
    """The guest's end of TCP leaves checksums to the host, and takes packets without, where that is negotiated; what
    comes is compared byte for byte."""
    cable = guest.cables[card]
    before = guest.carried(card)
    seen["ping"] = guest.ping(card)
    seen["tcp"] = tcp(cable.guest, AMOUNT, AMOUNT)
    seen["udp"] = udp(cable.guest, count=500, window=32, smallest=32, largest=1472)
    seen["carried"] = difference(before, guest.carried(card))
    seen["queues"] = guest.counters(card)


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {path: after[path] - before[path] for path in after}


def use_disk(guest: Vireo, disk: Disk, seen: dict) -> None:
    seen["serial"] = guest.check("cat /sys/block/vda/serial").strip()
    seen["size"] = 512 * int(guest.check("cat /sys/block/vda/size"))
    seen["digest"] = disk.digest()
    seen["read"] = guest.check("sha256sum /dev/vda").split()[0]
    options = "--direct=1 --ioengine=psync --verify=crc32c --verify_fatal=1 --bsrange=512-65536 --randrepeat=0"
    seen["fio"] = guest.run(f"fio --name=all --filename=/dev/vda --rw=randwrite --size={VERIFIED} {options}")._asdict()
    seen["pattern"] = guest.check(f"{PATTERN} | sha256sum").split()[0]
    guest.check(f"{PATTERN} | dd of=/dev/vda bs=1M seek={WRITTEN_AT >> 20} iflag=fullblock conv=fsync 2>/dev/null")
    seen["discard"] = guest.run(f"blkdiscard -o {VERIFIED} -l 1048576 /dev/vda")._asdict()
    seen["queues"] = guest.counters(guest.devices.disk)


def use_rng(guest: Vireo, seen: dict) -> None:
    before = guest.counters(guest.devices.rng)
    seen["source"] = guest.check("cat /sys/class/misc/hw_random/rng_current").strip()
    seen["bytes"] = int(guest.check("head -c 4096 /dev/hwrng | wc -c"))
    seen["kinds"] = int(guest.check("head -c 4096 /dev/hwrng | hexdump -v -e '1/1 \"%02x\\n\"' | sort -u | wc -l"))
    seen["before"], seen["after"] = before, guest.counters(guest.devices.rng)


def use_console(guest: Vireo, seen: dict) -> None:
    """A line each way over /dev/hvc0, which forgets its settings when nobody has it open."""
    guest.check("(stty raw -echo; echo listening >/dev/hvc0; head -n 1 >/tmp/heard) </dev/hvc0 2>/dev/null &")
    guest.talk.expect(rb"listening", 300)
    guest.talk.send(b"from the host\n")
    guest.wait_for("[ -s /tmp/heard ]")
    seen["heard"] = guest.check("cat /tmp/heard").strip()
    guest.check("echo from the guest >/dev/hvc0")
    seen["said"] = guest.talk.expect(rb"from the guest", 300)[0].decode()


def switch_paths(guest: Vireo, card: str, seen: dict) -> None:
    """While a stream goes each way, and numbered datagrams of which none may come twice."""
    cable = guest.cables[card]
    seen["paths"] = []
    with (
        endless(cable.guest) as stream,
        Traffic("udp", cable.guest, count=SWITCHES * 20, window=4, min=32, max=1472) as datagrams,
    ):
        stream.wait_flowing()
        for number in range(SWITCHES):
            path = ("user", "vhost")[number % 2]
            before = guest.carried(card)
            guest.monitor("x-vireo-path", device=card, path=path)
            stream.wait_flowing()
            now = [queue["path"] for queue in guest.counters(card)[:2]]
            seen["paths"].append({"asked": path, "now": now, "carried": difference(before, guest.carried(card))})
        seen["tcp"] = stream.stop()
        seen["udp"] = datagrams.finish()


def stop_and_go_on(guest: Vireo, card: str, seen: dict) -> None:
    with endless(guest.cables[card].guest) as stream:
        stream.wait_flowing()
        guest.monitor("stop")
        seen["stopped"] = guest.monitor("query-status")
        still = [guest.carried(card) for _ in range(2)]
        seen["carried while stopped"] = difference(*still)
        guest.monitor("cont")
        seen["running"] = guest.monitor("query-status")
        stream.wait_flowing()
        seen["tcp"] = stream.stop()


def pull_the_cable(guest: Vireo, card: str, seen: dict) -> None:
    interface = guest.cables[card].interface
    seen["carrier"] = []
    for up in (False, True):
        guest.monitor("set_link", name=card, up=up)
        guest.wait_for(f"grep -qx {int(up)} /sys/class/net/{interface}/carrier")
        seen["carrier"].append(up)
    seen["ping"] = guest.ping(card)


def reset(guest: Vireo, card: str, seen: dict) -> None:
    """By the monitor, with traffic under way; the guest boots as it did first."""
    with endless(guest.cables[card].guest) as stream:
        stream.wait_flowing()
        guest.monitor("system_reset")
    guest.wait_ready()
    serve(guest)
    look_at_features(guest, seen.setdefault("negotiated", {}))
    seen["tcp"] = tcp(guest.cables[card].guest, AMOUNT, AMOUNT)


def press_power_button(guest: Vireo, seen: dict) -> None:
    """This small guest has nobody who would obey; the kernel counts the presses."""
    counter = "/sys/firmware/acpi/interrupts/ff_pwr_btn"
    seen["before"] = int(guest.check(f"cat {counter}").split()[0])
    guest.monitor("system_powerdown")
    guest.wait_for(f"[ $(cut -c1-8 {counter}) -gt {seen['before']} ]")
    seen["after"] = int(guest.check(f"cat {counter}").split()[0])


def resident(guest: Vireo) -> dict[str, int]:
    """Bytes of the VMM beyond guest memory, which is a memfd's."""
    fields: dict[str, int] = {}
    memory = 0
    ours = False
    for line in Path(f"/proc/{guest.process.pid}/smaps").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if "-" in name.split(" ")[0] and " " in name:
            ours = "memfd:" not in line
        elif ours and name in ("Rss", "Anonymous"):
            fields[name] = fields.get(name, 0) + int(rest.split()[0]) * 1024
        elif name == "Rss":
            memory += int(rest.split()[0]) * 1024
    return {"resident": fields["Rss"], "anonymous": fields["Anonymous"], "guest memory": memory}
