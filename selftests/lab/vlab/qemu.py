# SPDX-License-Identifier: GPL-2.0-only
"""QEMU: its command line, its process, and that it never outlives us."""

import ctypes
import fcntl
import os
import shlex
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import tsc
from .errors import LabError

PROGRAM = "qemu-system-x86_64"
PORTS = ("control", "stdout", "stderr", "stdin")

# nokaslr: symbols are where System.map has them, and equal runs are equal.
# oops=panic, panic=-1: after an oops there is nothing to wait for; with -no-reboot QEMU ends.
# tsc=reliable: on a loaded machine the clocksource watchdog takes emulation's delays for a bad TSC.
# Limits on stalls: a delayed vCPU thread is not a stalled CPU. Our own watch is quicker (freeze.py).
# printk.devkmsg=on: PID 1's messages are not rate-limited.
CMDLINE = ("console=ttyS0 loglevel=7 nokaslr oops=panic panic=-1 tsc=reliable no_timer_check "
           "rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30 random.trust_cpu=on "
           "printk.time=1 printk.devkmsg=on rdinit=/init")

_KVM_GET_API_VERSION = 0xAE00
_KVM_CREATE_VM = 0xAE01
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Machine:
    accel: str
    smp: int
    memory: int  # MiB
    icount: bool = False
    append: str = ""
    extra: list[str] = field(default_factory=list)
    gdb: bool = False


def check() -> None:
    if not shutil.which(PROGRAM):
        raise LabError(f"{PROGRAM} is missing (Debian package qemu-system-x86); run `make setup`")


def choose_accel() -> str:
    """KVM only where it is real: some machines offer a /dev/kvm without the CPU for it."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
        if not {"vmx", "svm"} & set(flags):
            return "tcg"
        with open("/dev/kvm", "r+b", buffering=0) as kvm:
            if fcntl.ioctl(kvm, _KVM_GET_API_VERSION, 0) != 12:
                return "tcg"
            os.close(fcntl.ioctl(kvm, _KVM_CREATE_VM, 0))
        return "kvm"
    except OSError:
        return "tcg"


def _acceleration(machine: Machine) -> list[str]:
    if machine.icount:
        # rep movsb would count an instruction per byte: without erms the kernel copies otherwise.
        return ["-accel", "tcg", "-icount", "shift=0,sleep=on", "-cpu", "max,-erms"]
    if machine.accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def _clock(machine: Machine) -> list[str]:
    if machine.icount:
        return ["tsc_early_khz=1000000"]
    return [] if machine.accel == "kvm" else [f"tsc_early_khz={tsc.khz()}"]


def command_line(machine: Machine, kernel: Path, initrd: str, out: Path, console: Path,
                 sockets: dict[str, int]) -> list[str]:
    """Most chardevs are inherited sockets: no files to clean up, and they close when we die."""
    argv = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35", *_acceleration(machine),
            "-smp", str(machine.smp), "-m", str(machine.memory),
            "-kernel", str(kernel), "-initrd", initrd,
            "-append", " ".join([CMDLINE, *_clock(machine), machine.append]).strip(),
            "-chardev", f"file,id=console,append=on,path={_quoted(console)}",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=monitor,fd={sockets['monitor']}",
            "-mon", "chardev=monitor,mode=control",
            "-device", "virtio-serial-pci",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-fsdev", f"local,id=out,path={_quoted(out)},security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=out,mount_tag=out"]
    for port in PORTS:
        argv += ["-chardev", f"socket,id={port},fd={sockets[port]}",
                 "-device", f"virtserialport,chardev={port},name=vireo.{port}"]
    if machine.gdb:
        argv += ["-s"]
    for more in machine.extra:
        argv += shlex.split(more)
    return argv


def _quoted(path: Path) -> str:
    """As a value among QEMU's key=value lists."""
    return str(path).replace(",", ",,")


class Qemu:
    """A running QEMU and our ends of its sockets."""

    def __init__(self, machine: Machine, kernel: Path, initrd: bytes, out: Path, console: Path):
        self._log = os.memfd_create("qemu-messages")
        image = os.memfd_create("initrd")
        os.truncate(image, 0)
        with open(image, "wb", closefd=False) as f:
            f.write(initrd)
        pairs = {name: socket.socketpair() for name in ("monitor", *PORTS)}
        self.sockets = {name: ours for name, (ours, _) in pairs.items()}
        theirs = {name: end.fileno() for name, (_, end) in pairs.items()}
        self.argv = command_line(machine, kernel, f"/dev/fd/{image}", out, console, theirs)
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            pass_fds=(image, *theirs.values()), process_group=0,
            preexec_fn=_die_with(os.getpid()))
        os.close(image)
        for _, end in pairs.values():
            end.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        return self.process.poll() is not None

    def messages(self) -> str:
        """What QEMU itself had to say."""
        size = os.fstat(self._log).st_size
        return os.pread(self._log, size, 0).decode(errors="replace").strip()

    def kill(self) -> None:
        if not self.ended():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for sock in self.sockets.values():
            sock.close()

    def wait(self, limit: float) -> bool:
        try:
            self.process.wait(limit)
            return True
        except subprocess.TimeoutExpired:
            return False


def _die_with(parent: int):
    """For the child, before exec: the kernel kills it when we die, even by kill -9."""
    libc = ctypes.CDLL(None, use_errno=True)

    def setup() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return setup
