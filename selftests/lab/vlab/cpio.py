# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's initramfs format ("newc" cpio), without needing root for a device node."""

import stat


class Archive:
    """Members are root's, and have no times: equal content gives equal bytes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def directory(self, name: str) -> None:
        self._member(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._member(name, stat.S_IFREG | mode, content)

    def symlink(self, name: str, target: str) -> None:
        self._member(name, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, name: str, major: int, minor: int) -> None:
        self._member(name, stat.S_IFCHR | 0o600, b"", major, minor)

    def finish(self) -> bytes:
        self._member("TRAILER!!!", 0, b"")
        return bytes(self._data)

    def _member(self, name: str, mode: int, content: bytes, major: int = 0, minor: int = 0):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(encoded), 0)
        self._data += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)
