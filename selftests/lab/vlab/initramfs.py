# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs: our PID 1, and the modules between the kernel and the machine's root.

Not compressed: it is a few megabytes which QEMU copies into the guest's memory, where
the emulated CPU would take longer to decompress them.
"""

import shutil
import subprocess
from pathlib import Path

from . import kernels, paths
from .cpio import Archive
from .errors import LabError

INIT = paths.LAB / "init"
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-pthread", "-Wall", "-Wextra",
          "-Werror"]
MODULES = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"]


def base(kernel: kernels.Kernel) -> bytes:
    """Everything that does not change from run to run."""
    init = _init_program()
    modules = kernels.module_order(kernel.modules, MODULES)
    stamps = "".join(f"{m} {m.stat().st_size} {m.stat().st_mtime_ns}\n" for m in modules)
    key = paths.digest(init.name.encode(), stamps.encode())
    return paths.cached(f"initramfs-{key}", lambda new: _make(new, init, modules)).read_bytes()


def _make(new: Path, init: Path, modules: list[Path]) -> None:
    archive = Archive()
    for directory in ("dev", "lab", "lab/m"):
        archive.directory(directory)
    archive.char_device("dev/console", 5, 1)
    archive.file("init", init.read_bytes(), 0o755)
    names = []
    for module in modules:
        name = f"lab/m/{kernels.module_name(module.name)}.ko"
        archive.file(name, kernels.read_module(module))
        names.append(f"/{name}\n")
    archive.file("lab/modules", "".join(names).encode())
    new.write_bytes(archive.finish())


def _init_program() -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise LabError("a C compiler is missing (Debian package gcc); run `make setup`")
    sources = sorted(INIT.glob("*.[ch]"))
    version = subprocess.run([compiler, "--version"], stdout=subprocess.PIPE, check=False).stdout
    key = paths.digest(version, " ".join(CFLAGS).encode(), *(s.read_bytes() for s in sources))

    def build(new: Path) -> None:
        files = [str(s) for s in sources if s.suffix == ".c"]
        done = subprocess.run([compiler, *CFLAGS, "-o", str(new), *files], check=False)
        if done.returncode:
            raise LabError(f"building {INIT} failed (the compiler's messages are above)")

    return paths.cached(f"init-{key}", build)
