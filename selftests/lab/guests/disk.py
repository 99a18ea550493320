# SPDX-License-Identifier: GPL-2.0-only
"""A Debian 12 disk that boots by itself: a partition table, GRUB for a BIOS, and an ext4 root made with mmdebstrap.

Everything is written into a file; there is no loop device and no mount, which a machine may not have. Root is needed,
or sudo: the files of a root filesystem belong to many users.
"""

import os
import struct
import subprocess
import tempfile
from pathlib import Path

from .errors import GuestError, say
from .packages import listed

CONTENT = Path(__file__).resolve().parents[1] / "guest.d" / "disk"

SIZE = 2 << 30
SECTOR = 512
ROOT_START = 2048  # first sector of the root partition; between the partition table and here lies GRUB

# What GRUB needs before it can read its modules from the root filesystem, and what grub.cfg uses.
GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "serial", "terminal", "boot", "echo", "ls")
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service")

GRUB_PLATFORM = "/usr/lib/grub/i386-pc"


def make(out: Path, scratch_directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=scratch_directory, prefix=".disk-") as scratch:
        root = Path(scratch, "root")
        try:
            _make_root(root)
            say("making the disk of it")
            boot, core = _make_grub(root)
            _make_filesystem(root, out)
            _make_bootable(out, boot, core)
        finally:
            # Root's files, which we might not be able to remove.
            _as_root("rm", "-rf", str(root))


def _as_root(*command: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    try:
        subprocess.run([*sudo, *command], check=True, stdin=subprocess.DEVNULL, stdout=2)
    except FileNotFoundError as error:
        raise GuestError(f"{error.filename} is not here; run make setup, as root or where sudo works") from None


def _sources() -> list[str]:
    """This machine's own lists of Debian packages: they are known to work here."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    lists = [p for p in places if p.suffix in (".list", ".sources") and p.is_file()]
    return [str(p) for p in lists if "bookworm" in p.read_text(encoding="utf-8", errors="replace")]


def _make_root(root: Path) -> None:
    say("making a Debian 12 root (about 250 packages, some minutes)")
    files = CONTENT / "root"
    command = [
        "mmdebstrap", "--variant=minbase", "--mode=root", "--architectures=amd64",
        f"--include={','.join(listed(CONTENT / 'packages'))}",
        # What nobody reads in a guest: a third of the size.
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/info/*",
        "--aptopt=Apt::Install-Recommends false", "--aptopt=Acquire::Retries 3",
        # The initrd is made while the kernel is configured, so what configures it has to be there before, and stay.
        "--dpkgopt=force-confold", f"--essential-hook=cp -r --no-preserve=ownership {files}/. \"$1\"",
        "--customize-hook=chroot \"$1\" passwd -d root",
        "--customize-hook=chroot \"$1\" systemctl enable systemd-networkd",
        # Nothing that wakes up while something is measured.
        f"--customize-hook=chroot \"$1\" systemctl mask {' '.join(MASKED)}",
        "bookworm", str(root), *_sources(),
    ]  # fmt: skip
    with tempfile.NamedTemporaryFile("w+", prefix="mmdebstrap-", suffix=".log") as log:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        try:
            done = subprocess.run([*sudo, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        except FileNotFoundError as error:
            raise GuestError(f"{error.filename} is not here; run make setup, as root or where sudo works") from None
        if done.returncode:
            log.seek(0)
            last = "".join(log.readlines()[-15:])
            raise GuestError(
                f"mmdebstrap could not make a Debian root; the end of what it said:\n{last}"
                "guest: see that this machine is connected, and that apt-get update works on it"
            )


def _make_grub(root: Path) -> tuple[bytes, bytes]:
    """GRUB's first sector, and its core with what it takes to read /boot/grub."""
    modules = root / GRUB_PLATFORM.lstrip("/")
    _as_root("mkdir", "-p", str(root / "boot/grub/i386-pc"))
    _as_root("cp", *map(str, [*modules.glob("*.mod"), *modules.glob("*.lst")]), str(root / "boot/grub/i386-pc"))
    core = "boot/grub/i386-pc/core.img"
    place = ["-d", GRUB_PLATFORM, "-p", "(hd0,msdos1)/boot/grub"]
    _as_root("chroot", str(root), "grub-mkimage", "-O", "i386-pc", *place, "-o", f"/{core}", *GRUB_MODULES)
    return (modules / "boot.img").read_bytes(), (root / core).read_bytes()


def _make_filesystem(root: Path, out: Path) -> None:
    with open(out, "wb") as disk:
        disk.truncate(SIZE)
    start = ROOT_START * SECTOR
    # GRUB 2.06 refuses a filesystem with this feature, which newer versions of mke2fs turn on.
    options = ["-O", "^metadata_csum_seed", "-E", f"offset={start},lazy_itable_init=1", "-L", "vireo-root"]
    size = f"{(SIZE - start) // 1024}k"
    _as_root("/sbin/mke2fs", "-q", "-F", "-t", "ext4", *options, "-d", str(root), str(out), size)


def _make_bootable(out: Path, boot: bytes, core: bytes) -> None:
    """A partition table with GRUB before the first partition.

    GRUB's boot.img loads the sector after itself, and that one the rest of the core image from the sectors after it, as
    they come from GRUB's build: so nothing is to be patched when they lie at the start of the disk.
    """
    if len(core) > (ROOT_START - 1) * SECTOR:
        raise GuestError(f"GRUB's core image has {len(core)} bytes: no room for it before the first partition")
    active, linux = 0x80, 0x83
    lba_only = b"\xfe\xff\xff"  # a place that cylinders, heads and sectors cannot name
    sectors = SIZE // SECTOR - ROOT_START
    entry = struct.pack("<B3sB3sII", active, lba_only, linux, lba_only, ROOT_START, sectors)
    with open(out, "r+b") as disk:
        # The first 440 bytes are code, then come the disk's signature and the table.
        disk.write(boot[:440] + b"VIRE" + b"\0\0" + entry + bytes(48) + b"\x55\xaa")
        disk.write(core)
