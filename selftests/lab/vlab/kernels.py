# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel alias stands for, and how QEMU is best given it."""

import gzip
import lzma
import os
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .errors import LabError

ALIASES = ("6.1", "6.12", "debug", "debug-6.12")


@dataclass(frozen=True)
class Kernel:
    alias: str
    release: str
    image: Path  # what QEMU boots
    modules: Path  # lib/modules/<release>, as the host sees it
    sysmap: Path

    @property
    def is_debug(self) -> bool:
        return self.alias.startswith("debug")


def check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise LabError(f'kernel "{alias}": unknown; known are {", ".join(ALIASES)}')


def find(alias: str) -> Kernel:
    release = _ask(alias, "release")
    modules = Path(_ask(alias, "modules")) / "lib/modules" / release
    if not (modules / "modules.dep").exists():
        raise LabError(f"kernel {alias}: {modules} has no modules.dep; "
                       f"remove its directory from {paths.cache_root()} and run again")
    image = Path(_ask(alias, "image"))
    # KASAN's shadow memory is not there yet when the PVH entry's C code wants it.
    if "\nCONFIG_KASAN=y\n" not in Path(_ask(alias, "config")).read_text():
        image = bootable(image)
    return Kernel(alias, release, image, modules, Path(_ask(alias, "sysmap")))


def _ask(alias: str, what: str) -> str:
    tool = paths.LAB / "kernel"
    try:
        done = subprocess.run([tool, alias, what], stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, check=False)
    except OSError as e:
        raise LabError(f"{tool}: {e.strerror}; is the checkout complete?") from e
    if done.returncode:
        raise LabError(f"kernel {alias}: {tool.name} could not provide its {what} "
                       "(its message is above)")
    return done.stdout.strip()


def bootable(bzimage: Path) -> Path:
    """The ELF vmlinux inside a bzImage, which QEMU enters directly (PVH).

    That leaves out the firmware, the real-mode stub and above all the decompression,
    which take seconds under emulation. A kernel that cannot be entered so is booted as it is.
    """
    stat = bzimage.stat()
    key = paths.digest(str(bzimage.resolve()).encode(), str(stat.st_size).encode(),
                       str(stat.st_mtime_ns).encode())
    elf = paths.cache_root() / "lab" / f"vmlinux-{key}"
    if elf.exists():
        return elf
    payload = _payload(bzimage.read_bytes())
    if payload is None or not _has_pvh_entry(payload):
        return bzimage
    return paths.cached(elf.name, lambda new: _write(new, payload))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _payload(image: bytes) -> bytes | None:
    """Decompresses the payload; None if the image or its compression is not known.

    Offsets are those of the x86 boot protocol, Documentation/arch/x86/boot.rst: setup_sects at
    0x1f1, "HdrS" at 0x202, payload_offset and payload_length at 0x248 and 0x24c.
    """
    if image[0x202:0x206] != b"HdrS":
        return None
    protected_mode = ((image[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    data = image[protected_mode + offset:protected_mode + offset + length]
    try:
        if data.startswith(b"\x7fELF"):
            return data
        if data.startswith(b"\xfd7zXZ"):
            return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(data)
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(data)
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            return _filter(["zstd", "-dcq"], data)
        if data.startswith(b"\x02\x21\x4c\x18"):
            return _filter(["lz4", "-dcq"], data)
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, OSError):
        return None
    return None


def _filter(argv: list[str], data: bytes) -> bytes | None:
    """Runs a decompressor that may end unhappily about the length after the stream."""
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return done.stdout or None


def _has_pvh_entry(elf: bytes) -> bool:
    """Looks for the Xen note PHYS32_ENTRY (type 18) in the program headers of type NOTE."""
    if not elf.startswith(b"\x7fELF\x02\x01"):
        return False
    phoff, = struct.unpack_from("<Q", elf, 32)
    phentsize, phnum = struct.unpack_from("<HH", elf, 54)
    for i in range(phnum):
        kind, _, start, _, _, size = struct.unpack_from("<IIQQQQ", elf, phoff + i * phentsize)
        if kind == 4 and b"\x12\0\0\0Xen\0" in elf[start:start + size]:
            return True
    return False


def module_order(modules: Path, wanted: list[str]) -> list[Path]:
    """The files to load for these modules, dependencies first; nothing for what is built in."""
    depends: dict[str, tuple[str, list[str]]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        depends[module_name(path)] = (path, needs.split())
    builtin = set()
    if (modules / "modules.builtin").exists():
        builtin = {module_name(p) for p in (modules / "modules.builtin").read_text().split()}

    order: list[str] = []
    for name in wanted:
        if name in depends:
            path, needs = depends[name]
            # modules.dep lists the nearest dependency first: load from its end.
            order += [p for p in [*reversed(needs), path] if p not in order]
        elif name not in builtin:
            raise LabError(f"{modules}: has no module {name}, which the lab needs to boot")
    return [modules / p for p in order]


def module_name(path: str) -> str:
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def read_module(path: Path) -> bytes:
    """A module as the kernel's loader wants it: not compressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return _filter(["zstd", "-dcq"], data) or b""
    return data
