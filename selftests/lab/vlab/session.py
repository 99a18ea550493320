# SPDX-License-Identifier: GPL-2.0-only
"""One run: the event loop between a guest and the caller.

Sockets from the guest: its console, its control port (see init/ports.c for the lines), the
command's stdout and stderr. To it: stdin, and control. Everything is handled in one thread.
"""

import contextlib
import os
import select
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass

from . import errors, freeze, symbols, terminal, where
from .console import Log, Scanner
from .kernels import Kernel
from .monitor import Monitor, MonitorError
from .qemu import Qemu

_TICK = 0.2
_TICK_AT_END = 0.02
_AFTER_EXIT = 15.0  # seconds for the last bytes of output and of the console
_AFTER_REPORT = 5.0  # seconds for the rest of a report that ends the run
_DUMP = 8.0  # seconds in which the kernel prints where everything is, after a timeout


@dataclass(frozen=True)
class Options:
    timeout: float | None
    shell: bool
    stdin: bool
    gdb: bool
    icount: bool
    disks: bool  # there may be images to complete
    verbose: bool
    kernel: Kernel
    command: str  # as the user knows it


@dataclass
class Exit:
    """The control port's last line."""

    status: int
    exec_errno: int
    out_bytes: int
    err_bytes: int
    taint: int


class Ended(Exception):
    """The run is over other than by the command's end."""

    def __init__(self, status: int, message: str | None = None):
        super().__init__(message or "")
        self.status = status
        self.message = message


def say(text: str) -> None:
    """Our own messages; \\r because the terminal may be raw."""
    end = "\r\n" if sys.stderr.isatty() else "\n"
    sys.stderr.write(f"lab: {text}".replace("\n", end) + end)
    sys.stderr.flush()


class Session:
    def __init__(self, qemu: Qemu, options: Options, log: Log):
        self._qemu = qemu
        self._options = options
        self._log = log
        self._scanner = Scanner()
        self._leaks: list[str] = []
        self._started = False
        self._exit: Exit | None = None
        self._control_partial = b""
        self._counts = {"stdout": 0, "stderr": 0}
        self._stop_at: float | None = None  # when a report has ended the run
        self._selector = selectors.DefaultSelector()
        self._input = b""  # from the caller, not yet taken by the guest
        self._at_end = False  # and nothing more will come
        self._raw: terminal.RawTerminal | None = None
        self._began = now = time.monotonic()
        self._deadline = now + options.timeout if options.timeout else None
        self._usage = freeze.usage_of(qemu.pid)
        self._watch = freeze.Watch(now, self._usage, options.icount)
        self._monitor = Monitor(qemu.sockets["monitor"])

    # -- life ---------------------------------------------------------------------------------

    def run(self) -> int:
        """The exit status for the caller; messages have been printed."""
        for name in ("control", "stdout", "stderr"):
            sock = self._qemu.sockets[name]
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, name)
        self._qemu.sockets["stdin"].setblocking(False)
        if self._options.stdin or self._options.shell:
            self._listen_to_caller()
        try:
            if self._options.shell:
                with terminal.RawTerminal(sys.stdin.fileno()) as self._raw:
                    self._follow_window_size()
                    status = self._loop()
            else:
                status = self._loop()
            message = None
        except Ended as e:
            status, message = e.status, e.message
        return self._conclude(status, message)

    def _loop(self) -> int:
        exited_at: float | None = None
        while True:
            for key, _ in self._selector.select(_TICK_AT_END if self._exit else _TICK):
                self._handle(key.data)
            self._read_console()
            now = time.monotonic()
            if self._scanner.fatal:
                raise Ended(errors.CANNOT_START, f"the lab could not boot: {self._scanner.fatal}")
            if self._exit:
                exited_at = exited_at or now
                if self._all_arrived() or now - exited_at > _AFTER_EXIT:
                    return self._command_status()
            elif self._qemu.ended():
                self._drain()
                if not self._exit:
                    raise self._guest_gone()
            else:
                self._check_limits(now)

    def _check_limits(self, now: float) -> None:
        if any(r.ends_run for r in self._scanner.reports):
            self._stop_at = self._stop_at or now + _AFTER_REPORT
            if now >= self._stop_at:
                raise Ended(errors.KERNEL_REPORT)
        if self._deadline and now >= self._deadline:
            raise self._timed_out()
        if self._options.gdb:
            return  # a debugger that holds the guest is no freeze
        usage = freeze.usage_of(self._qemu.pid)
        # Beats may have arrived while we were writing to a slow caller: read them first.
        if select.select([self._qemu.sockets["control"]], [], [], 0)[0]:
            return
        self._usage = usage
        trouble = self._watch.verdict(now, usage)
        if trouble:
            raise self._frozen(trouble)

    # -- what arrives -------------------------------------------------------------------------

    def _handle(self, name: str) -> None:
        if name == "caller":
            self._from_caller()
            return
        if name == "stdin":
            self._to_guest()
            return
        sock = self._qemu.sockets[name]
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(sock)
        elif name == "control":
            self._control(data)
        else:
            self._counts[name] += len(data)
            _write(1 if name == "stdout" else 2, data)

    def _read_console(self) -> None:
        while data := self._log.read():
            self._scanner.feed(data)
            self._watch.console(time.monotonic(), self._usage)

    def _control(self, data: bytes) -> None:
        *lines, self._control_partial = (self._control_partial + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "beat":
                cpu, guest = rest.split()
                self._watch.beat(int(cpu), int(guest) / 1e9, time.monotonic(), self._usage)
            elif word == "start":
                self._started = True
                if self._options.verbose:
                    used = freeze.usage_of(self._qemu.pid).cpu
                    say(f"booted in {time.monotonic() - self._began:.1f} s; "
                        f"QEMU used {used:.1f} s of CPU")
            elif word == "leak":
                self._leaks.append(rest)
            elif word == "exit":
                self._exit = Exit(*map(int, rest.split()))

    def _all_arrived(self) -> bool:
        done = self._exit
        assert done
        return (self._counts["stdout"] == done.out_bytes and self._scanner.command_ended
                and self._counts["stderr"] == done.err_bytes)

    def _drain(self) -> None:
        """What QEMU had sent before it ended is still in the sockets."""
        while any(key.data not in ("caller", "stdin") for key in
                  self._selector.get_map().values()):
            for key, _ in self._selector.select(0):
                self._handle(key.data)
        self._read_console()

    # -- what is sent -------------------------------------------------------------------------

    def _listen_to_caller(self) -> None:
        try:
            self._selector.register(0, selectors.EVENT_READ, "caller")
        except PermissionError:
            # A regular file cannot be waited for, and is always ready.
            self._input = sys.stdin.buffer.read()
            self._selector.register(self._qemu.sockets["stdin"], selectors.EVENT_WRITE, "stdin")
            self._at_end = True

    def _from_caller(self) -> None:
        data = os.read(0, 4096)
        if self._raw and self._raw.wants_out(data):
            raise Ended(128 + signal.SIGHUP, "left with Ctrl-] three times; the guest was stopped")
        self._at_end = not data
        self._input += data
        self._selector.unregister(0)  # one buffer at a time: the guest sets the pace
        self._selector.register(self._qemu.sockets["stdin"], selectors.EVENT_WRITE, "stdin")

    def _to_guest(self) -> None:
        sock = self._qemu.sockets["stdin"]
        try:
            self._input = self._input[sock.send(self._input):] if self._input else b""
        except BlockingIOError:
            return
        except ConnectionError:
            self._input, self._at_end = b"", True
        if self._input:
            return
        self._selector.unregister(sock)
        if self._at_end:
            # The guest's port reads end of file. Closed outright, QEMU would not read the rest.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        else:
            self._selector.register(0, selectors.EVENT_READ, "caller")

    def _send_control(self, line: str) -> None:
        try:
            self._qemu.sockets["control"].send(line.encode() + b"\n")
        except OSError:
            pass  # the guest is gone or stuck, which the loop will find

    def _follow_window_size(self) -> None:
        def resized(*_) -> None:
            rows, columns = terminal.size()
            self._send_control(f"winsize {rows} {columns}")

        signal.signal(signal.SIGWINCH, resized)

    # -- how it ends --------------------------------------------------------------------------

    def _command_status(self) -> int:
        done = self._exit
        assert done
        for stream, expected in (("stdout", done.out_bytes), ("stderr", done.err_bytes)):
            if self._counts[stream] != expected:
                raise Ended(errors.GUEST_ENDED,
                            f"{expected - self._counts[stream]} bytes of the command's {stream} "
                            "were lost between guest and host")
        if done.exec_errno:
            reason = os.strerror(done.exec_errno)
            missing = done.exec_errno in (2, 20)
            if missing:
                reason = "not found in the lab (it has this machine's programs; see PATH)"
            raise Ended(errors.NOT_FOUND if missing else errors.CANNOT_EXEC,
                        f"{self._options.command}: {reason}")
        return done.status

    def _guest_gone(self) -> Ended:
        if not self._started:
            why = self._qemu.messages() or "its console ends with:\n" + "\n".join(
                self._scanner.tail)
            if self._scanner.reports:
                return Ended(errors.KERNEL_REPORT)
            return Ended(errors.CANNOT_START, f"the guest ended before the command began; {why}")
        if self._scanner.reports:
            return Ended(errors.KERNEL_REPORT)
        why = self._qemu.messages()
        return Ended(errors.GUEST_ENDED, "the guest ended before the command did: it was shut "
                     "down or reset from inside, or QEMU failed" + (f"; {why}" if why else ""))

    def _timed_out(self) -> Ended:
        """Asks the kernel what everyone is doing: the answer goes to the console log."""
        phase = "the command had not ended" if self._started else "the lab had not booted"
        self._scanner.listening = False
        self._send_control("dump")
        until = time.monotonic() + _DUMP
        while time.monotonic() < until and not self._qemu.ended():
            for key, _ in self._selector.select(_TICK):
                if key.data != "caller":
                    self._handle(key.data)
            self._read_console()
        return Ended(errors.TIMEOUT,
                     f"stopped at the time limit: {phase} after {self._options.timeout:.0f} s "
                     "(--timeout); the console log ends with what the CPUs and blocked tasks did")

    def _frozen(self, trouble: str) -> Ended:
        say(trouble)  # at once: finding symbols may take a while
        lines = where.describe(self._monitor, lambda: symbols.load(self._options.kernel))
        return Ended(errors.FROZEN, "its CPUs stood at\n" + "\n".join(f"  {x}" for x in lines))

    def _conclude(self, status: int, message: str | None) -> int:
        self._scanner.finish()
        if self._options.verbose:
            say(f"ended after {time.monotonic() - self._began:.1f} s; "
                f"QEMU used {self._usage.cpu:.1f} s of CPU")
        if self._options.disks and not self._qemu.ended():
            self._shut_down()
        if message:
            say(message)
        reports = self._scanner.reports
        for report in reports[:5]:
            say("the kernel reported:\n" + "\n".join(f"  {line}" for line in report.lines))
        if len(reports) > 5:
            say(f"{len(reports) - 5} more reports are in the console log")
        if self._leaks:
            say("memory leaked by the kernel while the command ran:\n"
                + "\n".join(f"  {line}" for line in self._leaks))
        hidden = self._hidden_taint()
        if hidden:
            say(hidden)
        found = len(reports) + bool(self._leaks) + bool(hidden)
        if found:
            own = "" if not self._exit else f"; the command's own status was {self._exit.status}"
            say(f"failed: {found} report{'s' * (found > 1)} from the kernel{own}")
        if message or found:
            say(f"console log: {self._log.path}")
        # A freeze or timeout says more than a report that came before it.
        if found and status not in (errors.FROZEN, errors.TIMEOUT):
            return errors.KERNEL_REPORT
        return status

    def _hidden_taint(self) -> str | None:
        """A command may have silenced the console, but not the kernel's memory of trouble."""
        bits = {32: "bad page", 128: "oops", 512: "warning", 16384: "soft lockup"}
        taint = self._exit.taint if self._exit else 0
        names = [name for bit, name in bits.items() if taint & bit]
        if not names or self._scanner.reports:
            return None
        return (f"the kernel is tainted ({', '.join(names)}) without a report on its console: "
                "was the console's log level lowered?")

    def _shut_down(self) -> None:
        """By the monitor, so that what the guest wrote to images given with --qemu is complete.

        Without such, the guest holds nothing that matters, and killing it is quicker.
        """
        try:
            self._monitor.command("quit", 2.0)
        except MonitorError:
            pass
        self._qemu.wait(5.0)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view):]
        except BlockingIOError:
            select.select([], [fd], [], 1.0)
        except BrokenPipeError as e:
            raise Ended(128 + signal.SIGPIPE) from e
