# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: the counters of a device (struct vireo_queue_stats), read from the file that the VMM has open."""

import ctypes
import fcntl
import os
import struct

VIREO_GET_QUEUE_STATS = 0xC008BE01
COUNTERS = (
    "kicks", "calls", "wakeups", "polls", "chains", "packets", "bytes", "drops", "stalls", "backend_errors",
    "ring_errors", "faults", "iotlb_misses",
)  # fmt: skip
LAYOUT = struct.Struct(f"=II{len(COUNTERS)}QII")
SYS_PIDFD_GETFD = 438
TRANSMIT, RECEIVE = 1, 0


def read(process: int, number: int) -> dict[str, dict[str, int]]:
    """Of both queues of the device that is file `number` of the process."""
    pidfd = os.pidfd_open(process)
    try:
        device = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
    finally:
        os.close(pidfd)
    if device < 0:
        raise OSError(ctypes.get_errno(), f"file {number} of process {process}")
    try:
        return {way: _queue(device, index) for way, index in (("receive", RECEIVE), ("transmit", TRANSMIT))}
    finally:
        os.close(device)


def _queue(device: int, index: int) -> dict[str, int]:
    request = bytearray(LAYOUT.pack(index, LAYOUT.size, *[0] * (len(COUNTERS) + 2)))
    fcntl.ioctl(device, VIREO_GET_QUEUE_STATS, request)
    _, _, *values, last_error, _ = LAYOUT.unpack(request)
    return {**dict(zip(COUNTERS, values, strict=True)), "last_error": last_error}
