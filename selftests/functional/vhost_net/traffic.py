# SPDX-License-Identifier: GPL-2.0-only
"""The host's end of the traffic program, which runs in the guest too; and what a tap carries meanwhile."""

import collections
import contextlib
import itertools
import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

from guests.errors import GuestError
from guests.nested import Guest

PORT = 7000
HELD_PORT = 7001  # of a server that can be stopped apart from the other, by its name
LIMIT = 300  # seconds for what takes a few


class Counts(NamedTuple):
    sent: int
    received: int
    peer_received: int  # as the peer last told


class Traffic:
    """A client that runs, against the server in the guest."""

    _number = itertools.count()
    program: Path
    seed = int(os.environ.get("VIREO_SEED", "1"))

    def __init__(self, kind: str, address: str, port: int = PORT, **options: object) -> None:
        self._progress = Path(tempfile.mkdtemp(prefix="traffic-"), "progress")
        options = {"seed": self.seed + next(self._number), "progress": self._progress, **options}
        words = [f"{name}={value}" for name, value in options.items()]
        self.what = f"traffic {kind} {address} {port} {' '.join(words)}"
        self._process = subprocess.Popen(
            [self.program, kind, address, str(port), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def progress(self) -> Counts:
        words = self._progress.read_text(encoding="ascii").split() if self._progress.exists() else []
        return Counts(*map(int, words)) if len(words) == 3 else Counts(0, 0, 0)

    def wait_until(self, reached: Callable[[Counts], bool], what: str) -> Counts:
        deadline = time.monotonic() + LIMIT
        while not reached(counts := self.progress()):
            if self._process.poll() is not None:
                raise GuestError(f"{self.what}: ended before {what}: {self._process.communicate()[0].strip()}")
            if time.monotonic() > deadline:
                raise GuestError(f"{self.what}: waited {LIMIT} s for {what}, it is at {counts}")
            time.sleep(0.02)
        return counts

    def wait_flowing(self, amount: int = 1 << 14) -> Counts:
        """Until that much more (bytes, or datagrams) has gone each way."""
        before = self.progress()
        return self.wait_until(
            lambda now: now.received >= before.received + amount and now.peer_received >= before.peer_received + amount,
            f"{amount} more both ways",
        )

    def finish(self) -> dict:
        """What it saw, when it has come to its end."""
        try:
            output = self._process.communicate(timeout=LIMIT)[0]
        except subprocess.TimeoutExpired:
            self.kill()
            raise GuestError(f"{self.what}: no end within {LIMIT} s, it is at {self.progress()}") from None
        if self._process.returncode:
            raise GuestError(f"{self.what}: {output.strip()}")
        return json.loads(output)

    def stop(self) -> dict:
        """Bring an endless one to its end."""
        self._process.terminate()
        return self.finish()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def serve(guest: Guest) -> None:
    """In the guest; under a second name once more."""
    guest.check(f"traffic serve {PORT} && ln -sf traffic /bin/held && held serve {HELD_PORT}")


def endless(address: str, rate: int = 1 << 16) -> Traffic:
    """A stream each way, slow enough for an emulated guest to do other things beside."""
    return Traffic("tcp", address, up="on", down="on", rate=rate)


def tcp(address: str, up: int, down: int) -> dict:
    with Traffic("tcp", address, up=up, down=down) as client:
        return {"asked": [up, down], **client.finish()}


def udp(address: str, count: int, window: int, smallest: int, largest: int) -> dict:
    with Traffic("udp", address, count=count, window=window, min=smallest, max=largest) as client:
        return {"asked": count, **client.finish()}


SOL_PACKET, PACKET_AUXDATA = 263, 8
ETH_P_ALL = 0x0003  # with less than all, a socket is not shown what goes out
IPV4 = b"\x08\x00"
CHECKSUM_LEFT_OPEN = 1 << 3  # TP_STATUS_CSUMNOTREADY


@contextlib.contextmanager
def watched(interface: str) -> Iterator[dict]:
    """What of TCP and UDP goes over an interface: for each way the count, the longest, and the number of those whose
    checksum was left to somebody else. Filled in when the block ends."""
    seen: dict = {}
    counts = {way: collections.Counter(packets=0, longest=0, open_checksums=0) for way in ("in", "out")}
    over = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        packets.settimeout(0.1)
        packets.bind((interface, ETH_P_ALL))

        def watch() -> None:
            while not over.is_set():
                try:
                    head, ancillary, _, source = packets.recvmsg(64, 256)
                except TimeoutError:
                    continue
                if len(head) < 34 or head[12:14] != IPV4 or head[23] not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
                    continue
                status, length = struct.unpack("II", ancillary[0][2][:8])
                way = counts["out" if source[2] == socket.PACKET_OUTGOING else "in"]
                way["packets"] += 1
                way["longest"] = max(way["longest"], length)
                way["open_checksums"] += bool(status & CHECKSUM_LEFT_OPEN)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()
            seen.update(counts)
