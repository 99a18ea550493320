# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of a few instructions, which a guest enters as it does Linux's ELF file: by the PVH note.

Each says X on the first serial port, and then does one thing.
"""

import struct
import tempfile
from pathlib import Path

LOADED_AT = 0x100000
_HEADERS = 64 + 2 * 56

_SAY_X = bytes.fromhex("66baf803 b058 ee")  # mov dx,3f8h; mov al,'X'; out dx,al
_HALT = bytes.fromhex("fa f4 ebfd")  # cli; hlt, for ever

CODE = {
    "idle": b"",
    "power off": bytes.fromhex("66ba0406 66b80034 66ef"),  # PM1a control: sleep type 5, sleep enable
    "reset by keyboard": bytes.fromhex("b0fe e664"),  # the keyboard controller's pulse
    "reset by port": bytes.fromhex("66baf90c b006 ee"),  # the reset control register, cf9h
    "triple fault": bytes.fromhex("0f011d 00080000 cc"),  # lidt of zeroes; int3
    "nowhere": bytes.fromhex("b8000000d0 ffe0"),  # jmp d0000000h, where nobody answers
}


def kernel(what: str) -> Path:
    """The file."""
    code = _SAY_X + CODE[what] + _HALT
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", LOADED_AT)  # XEN_ELFNOTE_PHYS32_ENTRY
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, LOADED_AT, 64, 0, 0, 64, 56, 2, 0, 0, 0)

    def segment(kind: int, flags: int, offset: int, address: int, size: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, size, size, 4)

    load = segment(1, 7, _HEADERS, LOADED_AT, len(code))
    notes = segment(4, 4, _HEADERS + len(code), 0, len(note))
    path = Path(tempfile.mkdtemp(prefix="tiny-"), "kernel")
    path.write_bytes(header + load + notes + code + note)
    return path
