# SPDX-License-Identifier: GPL-2.0-only
"""Debug kernels: built from Debian's linux-source packages with the fragments in selftests/lab/debug."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import apt, recipe
from .progress import Progress, make
from .stock import depmod
from .store import KernelError, fresh, kernels, locked, need_space, say


class Debug:
    """The kernel of a series with every check on. Named in the cache by its sources' version and its recipe's key."""

    built = True

    def __init__(self, alias: str, series: str, objects: int) -> None:
        self.alias = alias
        self.series = series
        self.source = f"linux-source-{series}"
        self.objects = objects  # that a build makes, roughly: for the progress line

    def name(self, version: str) -> str:
        return f"{self.alias}_{version}_{recipe.key(self.series)}"

    def directory(self) -> Path | None:
        """The kernel in the cache. Without the source package any version of the sources will do."""
        version = apt.installed_version(self.source)
        found = [kernels() / self.name(version)] if version else sorted(
            kernels().glob(self.name("*")), key=lambda path: path.stat().st_mtime, reverse=True
        )
        return next((path for path in found if path.is_dir()), None)

    def have(self) -> bool:
        return self.directory() is not None

    def release(self) -> str:
        path = self.directory()
        return (path / "release").read_text(encoding="ascii").strip() if path else ""

    def ensure(self) -> None:
        if not self.have():
            with locked(self.alias):
                if not self.have():
                    self.build()

    def update(self) -> None:
        self.ensure()

    def path(self, what: str) -> Path:
        path = self.directory()
        assert path is not None
        return {
            "image": path / "bzImage",
            "modules": path,
            "build": path / "build",
            "sysmap": path / "System.map",
            "config": path / "config",
        }[what]

    def build(self) -> None:
        version = apt.installed_version(self.source)
        tarball = Path(f"/usr/src/{self.source}.tar.xz")
        if not version or not tarball.is_file():
            raise KernelError(
                f"kernel {self.alias}: is built from {self.source}, which is not installed; "
                f"run selftests/lab/setup, or as root: apt-get install {self.source}"
            )
        final = kernels() / self.name(version)
        partial = final.with_name(final.name + ".partial")
        need_space(self.alias, 3.5)
        say(f"kernel {self.alias}: building {version} with KASAN, lockdep, ...: once, 15 minutes on two idle cores")
        log = partial / "log"
        try:
            tree = self.unpack(tarball, partial)
            self.configure(tree, log)
            with Progress(f"debug kernel {self.series}", self.objects) as shown:
                self.make(tree, log, "bzImage", "modules", shown=shown)
            self.install(tree, log, fresh(partial / "made"))
        except KeyboardInterrupt:
            raise KernelError(f"kernel {self.alias}: stopped; the next call goes on where this one was") from None
        except OSError as error:
            raise KernelError(
                f"kernel {self.alias}: {error.filename or partial}: {error.strerror}; the build's log is {log}"
            ) from error
        (partial / "made").rename(final)
        shutil.rmtree(partial)
        say(f"kernel {self.alias}: ready")

    def unpack(self, tarball: Path, partial: Path) -> Path:
        """The sources. A tree that a stopped build left is taken up again: the name says that it is the same."""
        tree = partial / "tree"
        if not tree.is_dir():
            unfinished = fresh(partial / "unpacking")
            done = apt.run("tar", "-C", str(unfinished), "--strip-components=1", "-xf", str(tarball))
            if done.returncode:
                raise KernelError(f"kernel {self.alias}: could not unpack {tarball}: {done.stderr.strip()}")
            unfinished.rename(tree)
        # Debian's kernel Makefile reads this file, now and whenever a module is built against the tree.
        (tree / ".kernelvariables").write_text(f"CC = {recipe.COMPILER}\n", encoding="ascii")
        return tree

    def configure(self, tree: Path, log: Path) -> None:
        """tinyconfig first, ours after it; then see that Kconfig left all of ours standing."""
        wanted = recipe.options(self.series)
        self.make(tree, log, "tinyconfig")
        with open(tree / ".config", "a", encoding="utf-8") as config:
            config.write("\n".join(recipe.lines(wanted)) + "\n")
        self.make(tree, log, "olddefconfig")
        missing = recipe.refused(wanted, tree / ".config")
        if missing:
            raise KernelError(
                f"kernel {self.alias}: Kconfig of {self.series} does not give {', '.join(missing)}; "
                f"look for unmet dependencies and put them into {recipe.FRAGMENTS}"
            )

    def make(self, tree: Path, log: Path, *targets: str, shown: Progress | None = None) -> None:
        command = ["nice", "-n", "10", "make", f"-j{os.cpu_count()}", *targets]
        # Nothing else of our environment: Kbuild would take ARCH, O or a make's flags above us from it.
        mine = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        status = make(command, tree, log, mine | recipe.IDENTITY | {"LC_ALL": "C"}, shown)
        if status:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
            raise KernelError(
                f"kernel {self.alias}: make {' '.join(targets)} failed (exit {status}); its last lines:\n  "
                + "\n  ".join(tail) + f"\nthe whole log is {log}; calling again goes on where it failed"
            )

    def install(self, tree: Path, log: Path, made: Path) -> None:
        """Into the directory that stays: the kernel, its modules, and what building modules needs of the tree."""
        release = (tree / "include/config/kernel.release").read_text(encoding="ascii").strip()
        self.make(tree, log, f"INSTALL_MOD_PATH={made}", "modules_install")
        modules = made / "lib/modules" / release
        for link in ("build", "source"):
            (modules / link).unlink(missing_ok=True)
            (modules / link).symlink_to("../../../build")
        depmod(made, release)
        shutil.copy(tree / "arch/x86/boot/bzImage", made / "bzImage")
        shutil.copy(tree / "System.map", made / "System.map")
        shutil.copy(tree / ".config", made / "config")
        (made / "release").write_text(release + "\n", encoding="ascii")
        for part in recipe.HEADERS:
            source, target = tree / part, made / "build" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, ignore=recipe.LEFT_OUT)
            else:
                shutil.copy(source, target)
