# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: how a machine begins, begins again, fails and ends. It judges nothing."""

import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import tiny
from guests.nested import COMMAND_LIMIT
from machine import Report
from vireo import PANIC, OwnGuest
from wires import VhostDevice


class Tiny(OwnGuest):
    """A guest with a kernel of a few instructions; it has no agent. It begins when a monitor hears what it does."""

    def __init__(self, program: Path, what: str, *arguments: str) -> None:
        kernel = tiny.kernel(what)
        super().__init__(program, kernel=kernel, initrd=kernel, memory=16, arguments=("-S", *arguments))

    def boots(self) -> list[str]:
        return ["-kernel", str(self.kernel)]

    def wait_ready(self, timeout: float = COMMAND_LIMIT) -> None:
        self.monitor("cont")

    def wait_letter(self) -> None:
        self._expect(self._console, rb"X", COMMAND_LIMIT, "the kernel's one letter")


def observe(report: Report, program: Path, _: VhostDevice, images: dict) -> None:
    for what in tiny.CODE:
        if what not in ("idle", "nowhere"):
            with report.part(f"{what}, -no-reboot") as seen:
                end_by_itself(program, what, seen)
    for what in ("reset by keyboard", "reset by port", "triple fault"):
        with report.part(what) as seen:
            reboot_again_and_again(program, what, seen)
    with report.part("power off, -no-shutdown") as seen:
        stay_after_power_off(program, seen)
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        with report.part(name) as seen:
            end_by_signal(program, getattr(signal, name), seen)
    with report.part("a failed vCPU") as seen:
        fail_with_a_monitor(program, seen)
    with report.part("a failed vCPU, no monitor") as seen:
        fail_alone(program, seen)
    with report.part("terminal") as seen:
        for name, (what, how) in TERMINAL.items():
            seen[name] = use_terminal(program, what, how)
    with report.part("linux") as seen:
        use_linux(program, images, seen)
    with report.part("linux, -no-reboot") as seen:
        panic_without_reboot(program, images, seen)


def end_by_itself(program: Path, what: str, seen: dict) -> None:
    with Tiny(program, what, "-no-reboot") as guest:
        guest.wait_letter()
        seen["status"] = guest.wait_end()
    seen["boots"] = guest.console().count("X")


def reboot_again_and_again(program: Path, what: str, seen: dict) -> None:
    with Tiny(program, what) as guest:
        guest.wait_letter()
        for _ in range(3):
            guest.event("RESET")
            guest.wait_letter()
        guest.monitor("quit")
        seen["status"] = guest.wait_end()


def stay_after_power_off(program: Path, seen: dict) -> None:
    with Tiny(program, "power off", "-no-shutdown") as guest:
        guest.event("SHUTDOWN")
        seen["state"] = guest.monitor("query-status")["status"]
        seen["cont"] = guest.refused("cont")
        guest.monitor("system_reset")
        seen["after a reset"] = guest.monitor("query-status")["status"]
        guest.monitor("cont")
        guest.event("SHUTDOWN")
        guest.process.send_signal(signal.SIGTERM)  # nobody is there to obey
        seen["status"] = guest.wait_end()


def end_by_signal(program: Path, which: signal.Signals, seen: dict) -> None:
    """Once is asking, and this guest does not hear; twice is not."""
    with Tiny(program, "idle") as guest:
        guest.wait_letter()
        guest.process.send_signal(which)
        guest.event("POWERDOWN")
        seen["after one"] = guest.monitor("query-status")["status"]
        guest.process.send_signal(which)
        seen["status"] = guest.wait_end()


def fail_with_a_monitor(program: Path, seen: dict) -> None:
    with Tiny(program, "nowhere") as guest:
        guest.event("STOP")
        seen["state"] = guest.monitor("query-status")
        seen["cont"] = guest.refused("cont")
        guest.monitor("system_reset")
        seen["after a reset"] = guest.monitor("query-status")["status"]
        guest.monitor("cont")
        guest.event("STOP")
        guest.monitor("quit")
        seen["status"] = guest.wait_end()


def fail_alone(program: Path, seen: dict) -> None:
    """Nobody reads what it says, which is no reason to end otherwise."""
    kernel = tiny.kernel("nowhere")
    command = [program, "-m", "16", "-nodefaults", "-kernel", kernel]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_LIMIT, check=False)
    seen["status"], seen["said"] = done.returncode, done.stderr.decode()
    reading, writing = os.pipe()
    os.close(reading)
    unheard = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, timeout=COMMAND_LIMIT, check=False
    )
    os.close(writing)
    seen["unheard"] = unheard.returncode


# How to end a VMM that has the terminal, and what its guest does.
TERMINAL: dict[str, tuple[str, Callable[[subprocess.Popen, int], object]]] = {
    "power-off": ("power off", lambda vmm, master: None),
    "triple fault, -no-reboot": ("triple fault", lambda vmm, master: None),
    "failed vCPU": ("nowhere", lambda vmm, master: None),
    "Ctrl-a x": ("idle", lambda vmm, master: os.write(master, b"\x01x")),
    "SIGTERM twice": ("idle", lambda vmm, master: press_twice(vmm)),
    "SIGABRT": ("idle", lambda vmm, master: vmm.send_signal(signal.SIGABRT)),
    "SIGSEGV": ("idle", lambda vmm, master: vmm.send_signal(signal.SIGSEGV)),
    "SIGQUIT": ("idle", lambda vmm, master: vmm.send_signal(signal.SIGQUIT)),
}


def press_twice(vmm: subprocess.Popen) -> None:
    """Two signals of a kind that come at once are one."""
    bit = 1 << (signal.SIGTERM - 1)
    for _ in range(2):
        vmm.send_signal(signal.SIGTERM)
        while vmm.poll() is None and _pending(vmm.pid) & bit:
            time.sleep(0.01)


def _pending(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0  # it has ended
    return sum(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd:"))


def use_terminal(program: Path, what: str, how: Callable[[subprocess.Popen, int], object]) -> dict:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    vmm = subprocess.Popen(
        [program, "-m", "16", "-nographic", "-no-reboot", "-kernel", tiny.kernel(what)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    said = b""
    try:
        while b"X" not in said:
            said += os.read(master, 1024)
        during = termios.tcgetattr(slave)
        how(vmm, master)
        status = vmm.wait(COMMAND_LIMIT)
    finally:
        vmm.kill()
        vmm.wait()
    after = termios.tcgetattr(slave)
    os.close(slave)
    os.close(master)
    return {
        "status": status,
        "raw": not during[3] & (termios.ICANON | termios.ECHO),
        "restored": after == before,
        "was cooked": bool(before[3] & termios.ICANON),
    }


def use_linux(program: Path, images: dict, seen: dict) -> None:
    with Linux(program, images) as guest:
        guest.monitor("query-status")
        first = guest.boot_id()
        guest.ask_to("reboot -f")
        guest.event("RESET")
        guest.wait_ready()
        second = guest.boot_id()
        guest.ask_to("echo c >/proc/sysrq-trigger")  # panic=-1: it reboots at once
        guest.event("RESET")
        guest.wait_ready()
        seen["boots"] = [first, second, guest.boot_id()]
        seen["panicked"] = "Kernel panic" in guest.console()
        # As a power manager would.
        guest.check("(head -c 1 /dev/input/event0 >/dev/null; poweroff -f) </dev/null >/dev/null 2>&1 &")
        seen["button"] = guest.check("cat /sys/class/input/event0/device/name").strip()
        guest.wait_for("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q /dev/input/event0")
        guest.process.send_signal(signal.SIGTERM)
        seen["status"] = guest.wait_end()


def panic_without_reboot(program: Path, images: dict, seen: dict) -> None:
    with Linux(program, images, "-no-reboot") as guest:
        guest.ask_to("echo c >/proc/sysrq-trigger")
        seen["status"] = guest.wait_end()
        guest.stop()
        seen["panicked"] = "Kernel panic" in guest.console()


class Linux(OwnGuest):
    def __init__(self, program: Path, images: dict, *arguments: str) -> None:
        # The power button is an input device, whose driver the guest does not load for a device of ACPI's own.
        append = f"{PANIC} vireo.modules=button,evdev"
        super().__init__(program, arguments=arguments, append=append, memory=256, **images)

    def boot_id(self) -> str:
        return self.check("cat /proc/sys/kernel/random/boot_id").strip()

    def ask_to(self, command: str) -> None:
        """What ends the system that would answer."""
        self.check(f"(sleep 0.2; {command}) </dev/null >/dev/null 2>&1 &")
