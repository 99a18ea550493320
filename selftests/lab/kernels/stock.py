# SPDX-License-Identifier: GPL-2.0-only
"""Debian's own kernels: the image, its modules, and the headers to build against, unpacked side by side."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from . import apt
from .store import KernelError, fresh, kernels, locked, need_space, say


class Stock:
    """The newest kernel of a flavour. apt is asked once which one that is: later runs need no network."""

    built = False

    def __init__(self, alias: str, meta: str) -> None:
        self.alias = alias
        self.meta = meta

    def choice(self) -> dict[str, str]:
        try:
            return json.loads((kernels() / f"{self.alias}.chosen").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return {}

    def root(self) -> Path | None:
        """The directory that the packages are unpacked in, if they are."""
        chosen = self.choice()
        path = kernels() / chosen["root"] if chosen else None
        return path if path and path.is_dir() else None

    def have(self) -> bool:
        return self.root() is not None

    def release(self) -> str:
        return self.choice().get("release", "")

    def directory(self) -> Path | None:
        return self.root()

    def ensure(self) -> None:
        if not self.have():
            with locked(self.alias):
                if not self.have():
                    self.fetch()

    def update(self) -> None:
        """Asks apt again which kernel is the newest."""
        with locked(self.alias):
            self.fetch()

    def fetch(self) -> None:
        named = apt.depends(apt.Package(self.meta, ""))
        image = next((package for package in named if package.name.startswith("linux-image-")), None)
        if image is None:
            raise KernelError(f"kernel {self.alias}: {self.meta} names no image; see apt-cache show {self.meta}")
        headers = apt.Package(image.name.replace("linux-image-", "linux-headers-"), image.version)
        release = image.name.removeprefix("linux-image-")
        chosen = {"release": release, "version": image.version, "root": f"stock-{release}_{image.version}"}
        final = kernels() / chosen["root"]
        if not final.is_dir():
            need_space(self.alias, 1.2)
            say(f"kernel {self.alias}: fetching {image.name} {image.version} and its headers (about 100 MB)")
            parts = [p for p in apt.depends(headers) if p.name.endswith("-common") or "-kbuild-" in p.name]
            partial = fresh(final.with_name(final.name + ".partial"))
            apt.unpack(apt.download([image, headers, *parts], partial), partial)
            self.settle(partial, release)
            partial.rename(final)
        note = kernels() / f"{self.alias}.chosen.new"
        note.write_text(json.dumps(chosen) + "\n", encoding="ascii")
        note.rename(note.with_suffix(""))

    def settle(self, root: Path, release: str) -> None:
        """Makes the packages work where they lie: they expect to be in /, and a package script to run depmod."""
        source = root / "usr/src" / f"linux-headers-{release}"
        common = source.with_name(source.name.replace("-amd64", "-common"))
        # It includes the common one by its path in /. Links between the packages are relative already.
        (source / "Makefile").write_text(
            f"include $(dir $(lastword $(MAKEFILE_LIST)))../{common.name}/Makefile\n", encoding="ascii"
        )
        modules = root / "lib/modules" / release
        for name, target in (("build", source), ("source", common)):
            (modules / name).unlink(missing_ok=True)
            (modules / name).symlink_to(os.path.relpath(target, modules))
        depmod(root, release)

    def path(self, what: str) -> Path:
        root, release = self.root(), self.release()
        assert root is not None
        return {
            "image": root / "boot" / f"vmlinuz-{release}",
            "modules": root,
            "build": root / "usr/src" / f"linux-headers-{release}",
            "sysmap": root / "boot" / f"System.map-{release}",
            "config": root / "boot" / f"config-{release}",
        }[what]


def depmod(root: Path, release: str) -> None:
    # A plain user's PATH has no sbin.
    tool = shutil.which("depmod", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not tool:
        raise KernelError("depmod is not here; as root run: apt-get install kmod")
    done = subprocess.run([tool, "-b", str(root), release], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"depmod of {release} failed: {done.stderr.strip()}; see that the disk is not full")
