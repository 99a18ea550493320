# SPDX-License-Identifier: GPL-2.0-only
"""The small guest initrd: busybox, a few programs with their libraries, and the drivers a guest may meet.

It is not compressed: the VMM copies it into the guest's memory, where decompressing it would cost more.
The same input gives the same bytes, and no privileges are needed.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from vlab.cpio import Archive

from . import elf
from .errors import GuestError, say
from .packages import listed, unpack

CONTENT = Path(__file__).resolve().parents[1] / "guest.d" / "initrd"

REMEDY = f"add the right one to {CONTENT / 'packages'}"

PROGRAMS = ("dash", "ethtool", "fio", "ip", "iperf3", "tc")
PROGRAM_DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin")
LIBRARY_DIRECTORIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")

# Debian's fio is linked with every storage library there is, 80 MB of them with what they need in turn, and all have
# to load before it starts. A guest with virtual disks uses none, so it gets stand-ins.
STAND_INS = ("libgfapi", "libnbd", "libibverbs", "librdmacm", "librados", "librbd", "libpmem", "libpmemblk")


def make(debs: Path, modules: Path, release: str, out: Path) -> None:
    """debs: a directory of packages; modules: the directory that holds lib/modules/RELEASE."""
    with tempfile.TemporaryDirectory() as scratch:
        packages, tree = Path(scratch, "packages"), Path(scratch, "tree")
        unpack(debs, packages)
        for directory in ("dev", "etc", "proc", "root", "run", "sys", "tmp"):
            (tree / directory).mkdir(parents=True)
        _add_programs(packages, tree)
        _add_busybox(packages, tree)
        _add_modules(modules / "lib/modules" / release, tree / "lib/modules" / release)
        subprocess.run(["/sbin/depmod", "-b", str(tree), release], check=True)
        _install(CONTENT / "init", tree / "init")
        out.write_bytes(_pack(tree))


def _install(source: Path, copy: Path) -> Path:
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(source.read_bytes())
    copy.chmod(0o755)
    return copy


def _find(packages: Path, directories: tuple[str, ...], name: str) -> Path | None:
    return next((packages / d / name for d in directories if (packages / d / name).exists()), None)


def _add_programs(packages: Path, tree: Path) -> None:
    """The programs, with every library that they reach."""
    libraries = tree / LIBRARY_DIRECTORIES[0]
    queue = []
    for name in PROGRAMS:
        program = _find(packages, PROGRAM_DIRECTORIES, name)
        if not program:
            raise GuestError(f"the program {name} is in none of the initrd's packages: {REMEDY}")
        queue.append(_install(program, tree / "bin" / name))
        _install(packages / elf.loader(program), tree / elf.loader(program))
    absent: list[tuple[Path, str]] = []
    seen: set[str] = set()
    while queue:
        user = queue.pop()
        for soname in elf.needed(user):
            if soname in seen:
                continue
            seen.add(soname)
            library = _find(packages, LIBRARY_DIRECTORIES, soname)
            if library:
                queue.append(_install(library, libraries / soname))
            elif soname.split(".")[0] in STAND_INS:
                absent.append((user, soname))
            else:
                raise GuestError(f"{user.name} needs {soname}, which is in none of the initrd's packages: {REMEDY}")
    real = list(libraries.iterdir())
    for user, soname in absent:
        elf.stand_in(user, soname, real, libraries / soname)


def _add_busybox(packages: Path, tree: Path) -> None:
    busybox = _install(packages / "bin/busybox", tree / "bin/busybox")
    names = subprocess.run([busybox, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    (tree / "bin/sh").symlink_to("dash")
    for name in names:
        if not (tree / "bin" / name).is_symlink() and not (tree / "bin" / name).exists():
            (tree / "bin" / name).symlink_to("busybox")
    # Where the kernel looks for its helper.
    (tree / "sbin").mkdir(exist_ok=True)
    (tree / "sbin/modprobe").symlink_to("../bin/busybox")


def _module_name(path: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def _add_modules(source: Path, target: Path) -> None:
    """The listed modules with all that they depend on, uncompressed."""
    target.mkdir(parents=True)
    dependencies: dict[str, list[str]] = {}
    for line in (source / "modules.dep").read_text(encoding="ascii").splitlines():
        path, _, rest = line.partition(":")
        dependencies[_module_name(path)] = [path, *rest.split()]
    built_in = {_module_name(path) for path in (source / "modules.builtin").read_text(encoding="ascii").split()}
    wanted: set[str] = set()
    absent = []
    for name in map(_module_name, listed(CONTENT / "modules")):
        if name in dependencies:
            wanted.update(dependencies[name])
        elif name not in built_in:
            absent.append(name)
    if absent:
        # A kernel with a small configuration is still a good guest for the tests that do without these.
        say(f"kernel {source.name} has no {', '.join(absent)}")
    for path in sorted(wanted):
        copy = target / re.sub(r"\.(gz|xz|zst)$", "", path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(_uncompressed(source / path))
    for index in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if (source / index).exists():
            (target / index).write_bytes((source / index).read_bytes())


def _uncompressed(module: Path) -> bytes:
    tool = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}.get(module.suffix)
    if not tool:
        return module.read_bytes()
    return subprocess.run([tool, "-dc", str(module)], check=True, stdout=subprocess.PIPE).stdout


def _pack(tree: Path) -> bytes:
    archive = Archive()
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree))
        if path.is_symlink():
            archive.symlink(name, os.readlink(path))
        elif path.is_dir():
            archive.directory(name)
        elif path.suffix != ".bin":  # kmod's index; busybox reads the one that is text
            archive.file(name, path.read_bytes(), path.stat().st_mode & 0o777)
    return archive.finish()
