# SPDX-License-Identifier: GPL-2.0-only
"""The tracked files of a checkout, by kind."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

# C that follows the kernel's style, since the kernel compiles it.
KERNEL_ROOMS = (
    "kernel/", "include/", "selftests/bench/net/floor/", "selftests/kunit/", "selftests/lab/testmod/", "selftests/vq/",
)  # fmt: skip


class Tree:
    def __init__(self, top: Path):
        self.top = top
        listed = subprocess.run(
            ["git", "-C", top, "ls-files", "-z"], check=True, capture_output=True, text=True
        ).stdout.split("\0")
        self.files = sorted(name for name in listed if name and (top / name).is_file())

    @functools.lru_cache(maxsize=None)
    def text(self, name: str) -> str | None:
        """What a file says; None for what is not text: images, and the inputs that a fuzzer keeps."""
        data = (self.top / name).read_bytes()
        if "/corpus/" in name or b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    def lines(self, name: str) -> list[tuple[int, str]]:
        return list(enumerate((self.text(name) or "").splitlines(), 1))

    def texts(self) -> list[str]:
        return [name for name in self.files if self.text(name)]

    def kernel_c(self) -> list[str]:
        return [name for name in self.files if name.endswith((".c", ".h")) and name.startswith(KERNEL_ROOMS)]

    def user_c(self) -> list[str]:
        suffixes = (".c", ".h", ".cc")
        return [name for name in self.files if name.endswith(suffixes) and not name.startswith(KERNEL_ROOMS)]

    def scripts(self, interpreter: str, suffix: str) -> list[str]:
        """Files for an interpreter, known by their name or by their first line."""

        def is_one(name: str) -> bool:
            first = (self.text(name) or "").split("\n", 1)[0]
            return name.endswith(suffix) or (first.startswith("#!") and interpreter in first)

        return [name for name in self.texts() if is_one(name)]

    def python(self) -> list[str]:
        return self.scripts("python", ".py")

    def shell(self) -> list[str]:
        return [name for name in self.scripts("sh", ".sh") if "python" not in self.text(name).split("\n", 1)[0]]
