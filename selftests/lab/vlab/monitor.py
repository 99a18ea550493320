# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's monitor (QMP), used rarely and with limits: QEMU may itself be stuck."""

import json
import select
import socket
import time


class MonitorError(Exception):
    pass


class Monitor:
    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._sock.setblocking(False)
        self._buffer = b""
        self._ready = False

    def command(self, name: str, limit: float = 5.0, **arguments) -> object:
        if not self._ready:
            self._ready = True
            self._read_until("QMP", limit)
            self.command("qmp_capabilities", limit)
        request = {"execute": name, "arguments": {k.replace("_", "-"): v
                                                  for k, v in arguments.items()}}
        try:
            self._sock.send(json.dumps(request).encode())
        except OSError as e:
            raise MonitorError(str(e)) from e
        answer = self._read_until(("return", "error"), limit)
        if "error" in answer:
            raise MonitorError(answer["error"]["desc"])
        return answer["return"]

    def human(self, line: str, cpu: int | None = None) -> str:
        """A command of the human monitor; what it prints."""
        where = {} if cpu is None else {"cpu_index": cpu}
        return str(self.command("human-monitor-command", command_line=line, **where))

    def _read_until(self, keys, limit: float) -> dict:
        keys = (keys,) if isinstance(keys, str) else keys
        deadline = time.monotonic() + limit
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                message = json.loads(line)
                if any(key in message for key in keys):
                    return message
                continue  # an event
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._sock], [], [], left)[0]:
                raise MonitorError("QEMU's monitor does not answer")
            data = self._sock.recv(65536)
            if not data:
                raise MonitorError("QEMU has closed its monitor")
            self._buffer += data
