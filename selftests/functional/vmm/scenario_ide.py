# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: one guest with disks and a CD-ROM on its IDE controller. It judges nothing."""

import hashlib
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import ide
from guests.errors import GuestError
from guests.nested import run
from ide import BAD_SECTOR, BAD_SECTORS, CD, FAULTY, LARGE, MAIN, MIB
from machine import Report
from vireo import PANIC, OwnGuest
from wires import VhostDevice

SECTOR = 512
BLOCK = ide.WRITTEN // 2  # so much goes to either side of a place
PATTERN = f"yes vireo | head -c {ide.WRITTEN}"
FIO = "fio --name=all --rw=randwrite --ioengine=psync --direct=1 --verify=crc32c --verify_fatal=1 --randrepeat=0"


class Images:
    """What the drives stand on, there while the object is entered."""

    def __init__(self) -> None:
        where = Path(tempfile.mkdtemp(prefix="ide-"))
        self.path = {name: where / name for name in (MAIN, CD, LARGE)}

    def __enter__(self) -> "Images":
        self.path[MAIN].write_bytes(os.urandom(ide.MAIN_SIZE))
        self.path[CD].write_bytes(os.urandom(ide.CD_SIZE))
        with open(self.path[LARGE], "wb") as image:
            image.truncate(ide.LARGE_SIZE)
        run("modprobe", "brd", "rd_nr=1", f"rd_size={ide.FAULTY_SIZE >> 10}")
        run("modprobe", "dm_mod")
        Path("/dev/ram0").write_bytes(os.urandom(ide.FAULTY_SIZE))
        after = BAD_SECTOR + BAD_SECTORS
        pieces = (
            f"0 {BAD_SECTOR} linear /dev/ram0 0",
            f"{BAD_SECTOR} {BAD_SECTORS} error",
            f"{after} {ide.FAULTY_SIZE // SECTOR - after} linear /dev/ram0 {after}",
        )
        run("dmsetup", "create", "--noudevsync", "--noudevrules", "--concise", f"{FAULTY},,,rw,{','.join(pieces)}")
        # There is no udev here that would name it.
        names = Path("/sys/block").glob("dm-*/dm/name")
        (self.path[FAULTY],) = (Path("/dev", name.parts[3]) for name in names if name.read_text().strip() == FAULTY)
        return self

    def __exit__(self, *_: object) -> None:
        run("dmsetup", "remove", "--noudevsync", "--noudevrules", FAULTY)

    def digest(self, name: str, offset: int, size: int) -> str:
        with open(self.path[name], "rb") as image:
            image.seek(offset)
            return hashlib.sha256(image.read(size)).hexdigest()


class IdeGuest(OwnGuest):
    def __init__(self, program: Path, images: Images, **others) -> None:
        self._images = images
        self.disk: dict[str, str] = {}  # which of the guest's is which
        super().__init__(program, append=PANIC, **others)

    def devices_of(self) -> list[str]:
        path = self._images.path
        return [
            "-drive", f"file={path[MAIN]},if=ide,id={MAIN},serial={MAIN}",
            "-drive", f"file={path[FAULTY]},if=ide,id={FAULTY},serial={FAULTY},readonly=on,cache=none",
            "-drive", f"file={path[CD]},if=ide,media=cdrom,index=2,id={CD}",
            "-drive", f"file={path[LARGE]},if=ide,id={LARGE},serial={LARGE}",
        ]  # fmt: skip

    def set_up(self) -> None:
        """The disks, by their serial numbers; they come one after the other."""
        for name in (MAIN, FAULTY, LARGE):
            page = f"grep -l {name} /sys/block/sd*/device/vpd_pg80 2>/dev/null"
            self.wait_for(f"{page} >/dev/null")
            self.disk[name] = "/dev/" + self.check(page).split("/")[3]
        self.wait_for("[ -b /dev/sr0 ]")
        self.disk[CD] = "/dev/sr0"

    def counted(self, name: str) -> dict[str, int]:
        (found,) = self.monitor("x-vireo-counters", device=name)
        return found["counters"]

    def digest(self, name: str, offset: int, size: int) -> str:
        """As the guest reads it, in pieces that divide both; not from its cache."""
        piece = next(piece for piece in (MIB, 1 << 16, SECTOR) if offset % piece == size % piece == 0)
        self.check("echo 3 >/proc/sys/vm/drop_caches")
        where = f"if={self.disk[name]} bs={piece} skip={offset // piece} count={size // piece}"
        return self.check(f"dd {where} 2>/dev/null | sha256sum").split()[0]

    def write(self, name: str, offset: int) -> None:
        """The pattern, to the medium."""
        self.check(
            f"{PATTERN} | dd of={self.disk[name]} bs={BLOCK} seek={offset // BLOCK} iflag=fullblock"
            " conv=fsync,notrunc 2>/dev/null"
        )


def observe(report: Report, program: Path, _: VhostDevice | None, images: dict) -> None:
    with ExitStack() as stack:
        files = stack.enter_context(Images())
        guest = IdeGuest(program, files, **images)
        stack.callback(guest.stop)
        with report.part("boot"):
            guest.start()
            guest.wait_ready()
            guest.set_up()
        report["pattern"] = guest.check(f"{PATTERN} | sha256sum").split()[0]
        with report.part("identity", guest) as seen:
            identify(guest, seen)
        with report.part("stop and go on", guest) as seen:
            stop_and_go_on(guest, seen)
        for mode in ide.MODES:
            with report.part(f"mode {mode}", guest) as seen:
                choose_mode(guest, mode, seen)
            with report.part(f"disk {mode}", guest) as seen:
                use_disk(guest, files, mode, seen)
            with report.part(f"48 bits {mode}", guest) as seen:
                reach_far(guest, files, mode, seen)
            with report.part(f"cd {mode}", guest) as seen:
                read_cd(guest, files, mode, seen)
        report["complaints"] = guest.complaints()
        with report.part("faults", guest) as seen:
            meet_faults(guest, files, seen)
        with report.part("reset", guest) as seen:
            reset(guest, files, seen)
        report["exit status"] = guest.power_off()


def identify(guest: IdeGuest, seen: dict) -> None:
    seen["functions"] = guest.check("cd /sys/bus/pci/drivers/ata_piix; ls -d 0000:*").split()
    for name, disk in guest.disk.items():
        where = f"/sys/block/{disk[5:]}"
        seen[name] = {
            "model": guest.check(f"cat {where}/device/model").strip(),
            "size": SECTOR * int(guest.check(f"cat {where}/size")),
        }


def choose_mode(guest: IdeGuest, mode: str, seen: dict) -> None:
    """By taking the drivers away and loading them again; a controller that was in use is found anew."""
    if mode == "pio":
        guest.check("rmmod ata_piix ata_generic; rmmod libata; dmesg -c >/dev/null")
        guest.check("modprobe libata dma=0; modprobe ata_piix")
        guest.set_up()
    seen["modes"] = modes_of(guest)


def modes_of(guest: IdeGuest) -> list[str]:
    """As the driver has set them."""
    each = "for drive in *; do grep -q ^ata $drive/class && cat $drive/xfer_mode; done"
    return guest.check(f"cd /sys/class/ata_device; {each}; true").split()


def use_disk(guest: IdeGuest, files: Images, mode: str, seen: dict) -> None:
    before = guest.counted(MAIN)
    beyond = (ide.KEPT, ide.COMPARED)
    seen["digest"], seen["read"] = files.digest(MAIN, *beyond), guest.digest(MAIN, *beyond)
    sizes = f"--bsrange=512-131072 --size={ide.VERIFIED[mode]}"
    seen["fio"] = guest.run(f"{FIO} --filename={guest.disk[MAIN]} {sizes}")._asdict()
    where = ide.KEPT + (8 + ide.MODES.index(mode)) * MIB
    flushed = guest.counted(MAIN)["flushes"]
    guest.write(MAIN, where)
    seen["flushes"] = guest.counted(MAIN)["flushes"] - flushed
    seen["written"] = files.digest(MAIN, where, ide.WRITTEN)
    after = guest.counted(MAIN)
    seen["counted"] = {name: after[name] - before[name] for name in after}


def reach_far(guest: IdeGuest, files: Images, mode: str, seen: dict) -> None:
    """Across the last sector that 28 bits can name, and near the end."""
    last = ide.LARGE_SIZE - (1 + ide.MODES.index(mode)) * ide.WRITTEN
    for name, where in (("across", ide.LAST_OF_28_BITS - ide.WRITTEN // 2), ("end", last)):
        guest.write(LARGE, where)
        seen[name] = [files.digest(LARGE, where, ide.WRITTEN), guest.digest(LARGE, where, ide.WRITTEN)]
    # Where these would be if their upper bits were lost.
    seen["elsewhere"] = [files.digest(LARGE, where % ide.LAST_OF_28_BITS, ide.WRITTEN // 2)
                         for where in (ide.LAST_OF_28_BITS, last)]  # fmt: skip
    seen["zeroes"] = hashlib.sha256(bytes(ide.WRITTEN // 2)).hexdigest()


def read_cd(guest: IdeGuest, files: Images, mode: str, seen: dict) -> None:
    before = guest.counted(CD)
    seen["digest"] = files.digest(CD, 0, ide.READ[mode])
    seen["read"] = guest.digest(CD, 0, ide.READ[mode])
    seen["write"] = guest.run("dd if=/dev/zero of=/dev/sr0 bs=2048 count=1 2>&1")._asdict()
    after = guest.counted(CD)
    seen["counted"] = {name: after[name] - before[name] for name in after}


def load(guest: IdeGuest) -> None:
    """Writes that are verified, in the background, on the part of the disk that is not compared."""
    before = guest.counted(MAIN)["writes"]
    guest.check(
        f"({FIO} --filename={guest.disk[MAIN]} --bs=4096 --size={ide.LOADED} >/tmp/fio 2>&1; echo $? >/tmp/fio.status)"
        " >/dev/null 2>&1 &"
    )
    for _ in range(1000):
        if guest.counted(MAIN)["writes"] > before:
            return
        guest.check("usleep 10000")
    raise GuestError("the guest's load does not write")


def stop_and_go_on(guest: IdeGuest, seen: dict) -> None:
    load(guest)
    guest.monitor("stop")
    still = [guest.counted(MAIN) for _ in range(2)]
    seen["stopped"] = still[0] == still[1]
    guest.monitor("cont")
    guest.wait_for("[ -s /tmp/fio.status ]")
    seen["went on"] = guest.counted(MAIN)["interrupts"] - still[1]["interrupts"]
    seen["fio"] = {"status": int(guest.check("cat /tmp/fio.status")), "output": guest.check("cat /tmp/fio")}


def meet_faults(guest: IdeGuest, files: Images, seen: dict) -> None:
    """A read that the host fails, its neighbours, and a write to a disk that is read-only."""
    size = BAD_SECTORS * SECTOR
    dd = f"dd if={guest.disk[FAULTY]} iflag=direct count=1"
    before = guest.counted(FAULTY)["errors"]
    guest.check("dmesg -c >/dev/null")
    seen["bad"] = guest.run(f"{dd} bs={SECTOR} skip={BAD_SECTOR} of=/dev/null 2>&1")._asdict()
    seen["said"] = guest.check("dmesg -c")
    seen["errors"] = guest.counted(FAULTY)["errors"] - before
    seen["neighbours"] = []
    for way in (-1, 1):
        sector = BAD_SECTOR + way * BAD_SECTORS
        read = guest.check(f"{dd} bs={size} skip={sector // BAD_SECTORS} 2>/dev/null | sha256sum").split()[0]
        seen["neighbours"].append([files.digest(FAULTY, sector * SECTOR, size), read])
    start = files.digest(FAULTY, 0, size)
    seen["write"] = guest.run(f"dd if=/dev/zero of={guest.disk[FAULTY]} bs={size} count=1 oflag=direct 2>&1")._asdict()
    seen["unchanged"] = files.digest(FAULTY, 0, size) == start


def reset(guest: IdeGuest, files: Images, seen: dict) -> None:
    """By the monitor, with writes under way; the guest boots as it did first, and finds its drives."""
    load(guest)
    guest.monitor("system_reset")
    guest.wait_ready()
    guest.set_up()
    where = (ide.KEPT, ide.COMPARED)
    seen["digest"], seen["read"] = files.digest(MAIN, *where), guest.digest(MAIN, *where)
    seen["cd"] = [files.digest(CD, 0, MIB), guest.digest(CD, 0, MIB)]
    seen["modes"] = modes_of(guest)
