# SPDX-License-Identifier: GPL-2.0-only
"""One end of a byte stream to a guest or its VMM, read in the background so that the other end never blocks."""

import re
import socket
import threading
import time
from typing import BinaryIO


class Closed(Exception):
    """The other end is gone. Says, like TimeoutError, what came last."""


class Channel:
    def __init__(self, log: BinaryIO | None = None) -> None:
        """What comes in is also written to the log. Give `theirs` to the other end, then call start()."""
        self._ours, self.theirs = socket.socketpair()
        self._log = log
        self._arrived = threading.Condition()
        self._unread = b""
        self._closed = False

    def start(self) -> None:
        self.theirs.close()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = self._ours.recv(65536)
            except OSError:
                data = b""
            if data and self._log:
                self._log.write(data)
                self._log.flush()
            with self._arrived:
                self._unread += data
                self._closed = not data
                self._arrived.notify_all()
            if not data:
                return

    def send(self, data: bytes) -> None:
        try:
            self._ours.sendall(data)
        except OSError as error:
            raise Closed from error

    def expect(self, pattern: bytes, timeout: float) -> re.Match[bytes]:
        """Wait for the pattern, and take everything up to its end. TimeoutError, or Closed if it can come no more."""
        wanted = re.compile(pattern, re.DOTALL | re.MULTILINE)
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                if match := wanted.search(self._unread):
                    self._unread = self._unread[match.end() :]
                    return match
                last = self._unread[-2000:].decode(errors="replace")
                if self._closed:
                    raise Closed(last)
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(last)
                self._arrived.wait(left)

    def wait_closed(self, timeout: float) -> None:
        """Until all that the other end sent before it went away has been read."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._closed, timeout)

    def unread(self) -> str:
        with self._arrived:
            return self._unread.decode(errors="replace")

    def close(self) -> None:
        # Wakes the reading thread, which close() alone does not.
        try:
            self._ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._ours.close()
