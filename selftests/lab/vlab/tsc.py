# SPDX-License-Identifier: GPL-2.0-only
"""The frequency of this machine's time stamp counter, which QEMU's emulation hands to the guest.

A guest that calibrates it itself, on a loaded machine, gets it wrong by as much as two times,
and with it every clock and timer.
"""

import ctypes
import mmap
import time

# rdtsc; shl rdx,32; or rax,rdx; ret
_RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_SECONDS = 0.05


def khz() -> int:
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as code:
        code.write(_RDTSC)
        start = ctypes.addressof(ctypes.c_char.from_buffer(code))
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(start)
        first_ns, first = _instant(read)
        time.sleep(_SECONDS)
        last_ns, last = _instant(read)
    return round((last - first) * 1_000_000 / (last_ns - first_ns))


def _instant(read) -> tuple[int, int]:
    """Both clocks at one moment: of several tries, that with the least time between."""
    best = None
    for _ in range(50):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        ticks = read()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        if best is None or after - before < best[0]:
            best = (after - before, (before + after) // 2, ticks)
    assert best
    return best[1], best[2]
