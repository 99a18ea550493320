# SPDX-License-Identifier: GPL-2.0-only
"""Boots a guest under KVM in the lab, runs commands in it, powers it off.

    with Tap("tap0", "192.168.77.1/24") as tap:
        with Guest(address="192.168.77.2/24", arguments=tap.nic("virtio-net-pci")) as guest:
            print(guest.run("uname -r").output)
            guest.power_off()

The guest's console goes to a file; commands go over a serial line of their own, so nothing that the kernel says gets
between. See guest.d/initrd/init for the other end. Nothing here sleeps: each wait is for an event, and ends early when
the guest does.
"""

import base64
import fcntl
import json
import os
import shlex
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .channel import Channel, Closed
from .errors import GuestError

# Far above what a nested boot takes on a debug kernel of a busy machine.
BOOT_LIMIT = 600
LAST_WORDS = 5  # seconds for what a VMM that has ended left in its console
COMMAND_LIMIT = 300
POWER_OFF_LIMIT = 120

# Under QEMU 7.2's TCG, a nested kernel finds the sizes that XSAVE is said to have at odds with each other, and warns.
CPU = "host,-xsave"

# loglevel=5: each character on a serial line is an exit, which costs much where nested virtualization is emulated.
# mitigations=off: they cost more than they do on a real CPU, and guard nothing here.
# cryptomgr.notests: the self-tests of ciphers are a quarter of the instructions of a boot.
# pci=noearly: a search of all buses for an AGP bridge, with nine tenths of the exits of a boot.
APPEND = (
    "console=ttyS0 loglevel=5 panic=-1 mitigations=off cryptomgr.notests pci=noearly tsc=reliable no_timer_check"
)


KVM_CREATE_VM, KVM_CREATE_VCPU = 0xAE01, 0xAE41
KVM_CREATE_IRQCHIP, KVM_SET_MSRS = 0xAE60, 0x4008AE89
MSR_IA32_APICBASE = 0x1B


class Result(NamedTuple):
    status: int
    output: str  # stdout and stderr as they came


class Guest:
    """A small Linux guest under QEMU. To drive another VMM, say its command line in a subclass's command()."""

    def __init__(
        self,
        *,
        kernel: Path | None = None,
        initrd: Path | None = None,
        address: str = "",
        arguments: Sequence[str] = (),
        append: str = "",
        memory: int = 512,
        cpus: int = 1,
        log: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """kernel and initrd default to the lab's 6.1; arguments are QEMU's, append is for the guest's kernel."""
        if not (kernel and initrd):
            from . import images  # with all that it takes to make one, which costs seconds on a debug kernel

            kernel, initrd = kernel or images.vmlinux("6.1"), initrd or images.initrd("6.1")
        self.kernel = kernel
        self.initrd = initrd
        self.arguments = list(arguments)
        self.append = f"{APPEND} vireo.agent=ttyS1 {f'vireo.ip={address} ' if address else ''}{append}".strip()
        self.memory = memory
        self.cpus = cpus
        self.log = log or Path(tempfile.mkstemp(prefix="guest-", suffix=".log")[1])
        self.pass_fds = list(pass_fds)
        self._commands = 0

    # --- what runs it ---

    def command(self, console: int, agent: int, monitor: int) -> list[str]:
        """The VMM's command line; the arguments are sockets that it inherits."""
        return [
            "qemu-system-x86_64", "-accel", "kvm", "-cpu", CPU, "-smp", str(self.cpus), "-m", str(self.memory),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(self.kernel), "-initrd", str(self.initrd), "-append", self.append,
            "-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=agent,fd={agent}", "-serial", "chardev:agent",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            *self.arguments,
        ]  # fmt: skip

    def start(self) -> None:
        self._log = open(self.log, "wb")
        self._console, self._agent, self._monitor = channels = Channel(self._log), Channel(), Channel()
        fds = [channel.theirs.fileno() for channel in channels]
        command = self.command(*fds)
        inherited = [*fds, *self.pass_fds]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, pass_fds=inherited
            )
        except FileNotFoundError as error:
            raise GuestError(f"{error.filename} is not here; run make setup") from None
        for channel in channels:
            channel.start()

    def wait_ready(self, timeout: float = BOOT_LIMIT) -> None:
        """Until drivers and network are set up and commands are awaited."""
        self._expect(self._agent, rb"^@vireo serving\r?\n", timeout, "the guest to boot")

    def __enter__(self) -> "Guest":
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it at once, if it has not ended."""
        self.process.kill()
        self.process.wait()
        for channel in (self._console, self._agent, self._monitor):
            channel.close()

    # --- what it is asked ---

    def run(self, command: str, timeout: float = COMMAND_LIMIT) -> Result:
        """Run it with the guest's shell."""
        self._commands += 1
        number = self._commands
        what = f'the command "{command}"'
        self._send(self._agent, b"%d %s\n" % (number, base64.b64encode(command.encode())), what)
        # The newline before the last line is not the command's.
        pattern = rb"^@vireo begin %d\n(.*)\n@vireo end %d (\d+)\n" % (number, number)
        match = self._expect(self._agent, pattern, timeout, what)
        return Result(int(match[2]), match[1].decode(errors="replace"))

    def check(self, command: str, timeout: float = COMMAND_LIMIT) -> str:
        """The command's output; GuestError if it fails."""
        result = self.run(command, timeout)
        if result.status:
            said = result.output.strip() or "it said nothing"
            raise GuestError(f'the command "{command}" ended in the guest with status {result.status}: {said}')
        return result.output

    def wait_for(self, condition: str) -> None:
        """Until a command succeeds in the guest; looked at there, since asking takes longer than it may last."""
        self.check(f"tries=3000; until {condition}; do [ $((tries -= 1)) -gt 0 ] || exit 1; usleep 50000; done")

    def monitor(self, command: str, **arguments: object) -> object:
        """Ask QEMU's monitor; see "QEMU QMP Reference Manual" for the commands."""
        if not hasattr(self, "_greeted"):
            self._expect(self._monitor, rb'^\{"QMP".*?\n', COMMAND_LIMIT, "QEMU's monitor")
            self._greeted = True
            self.monitor("qmp_capabilities")
        what = f'QEMU\'s answer to "{command}"'
        request = json.dumps({"execute": command, "arguments": arguments})
        self._send(self._monitor, request.encode() + b"\n", what)
        # Events come between; an answer begins with the word return or error.
        match = self._expect(self._monitor, rb'^\{"(return|error)".*?\n', COMMAND_LIMIT, what)
        answer = json.loads(match[0])
        if "error" in answer:
            raise GuestError(f'QEMU refused "{command}": {answer["error"]["desc"]}')
        return answer["return"]

    def power_off(self, timeout: float = POWER_OFF_LIMIT) -> int:
        """Let the guest go off by itself; the VMM's exit status."""
        self._send(self._agent, b"off\n", "the guest to power off")
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GuestError(self._explain(f"the guest did not power off within {timeout:.0f} s")) from None

    def console(self) -> str:
        return self.log.read_text(errors="replace")

    # --- how it fails ---

    def _send(self, channel: Channel, data: bytes, what: str) -> None:
        try:
            channel.send(data)
        except Closed:
            raise GuestError(self._explain(f"waiting for {what}: the guest ended")) from None

    def _expect(self, channel: Channel, pattern: bytes, timeout: float, what: str):
        try:
            return channel.expect(pattern, timeout)
        except Closed:
            problem = f"waiting for {what}: the guest ended, its VMM with status {self.process.wait()}"
            raise GuestError(self._explain(problem)) from None
        except TimeoutError:
            raise GuestError(self._explain(f"waited {timeout:.0f} s for {what}")) from None

    def _explain(self, problem: str) -> str:
        events = ""
        if self.process.poll() is not None:
            self._console.wait_closed(LAST_WORDS)
            self._monitor.wait_closed(LAST_WORDS)
            events = "".join(f"\nits VMM's last event: {line}" for line in self._monitor.unread().splitlines()[-1:])
        last = "\n".join(f"  {line}" for line in self.console().splitlines()[-25:])
        return f"{problem}; the end of its console ({self.log}):\n{last or '  (it said nothing)'}{events}"


class Tap:
    """A tap interface for a guest's card, there while the object is entered."""

    def __init__(self, name: str, address: str = "") -> None:
        self.name = name
        self.address = address

    def __enter__(self) -> "Tap":
        run("modprobe", "tun")
        run("ip", "tuntap", "add", "dev", self.name, "mode", "tap")
        if self.address:
            run("ip", "addr", "add", self.address, "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        run("ip", "link", "del", self.name)

    def nic(self, model: str, options: str = "", device_options: str = "") -> list[str]:
        """QEMU's arguments for a card on this tap; options are -netdev's, vhost=on,vhostfd=N for example."""
        netdev = f"tap,id={self.name},ifname={self.name},script=no,downscript=no"
        return [
            "-netdev", f"{netdev},{options}" if options else netdev,
            "-device", f"{model},netdev={self.name}" + (f",{device_options}" if device_options else ""),
        ]  # fmt: skip


def run(*command: str) -> str:
    """A command of the lab itself, that has to go well."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise GuestError(f"{error.filename} is not here; run make setup outside of the lab") from None
    if done.returncode:
        raise GuestError(f"{shlex.join(command)} failed with status {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def load_kvm() -> None:
    """KVM for the CPU that the lab has."""
    if not os.path.exists("/dev/kvm"):
        flags = Path("/proc/cpuinfo").read_text().split()
        run("modprobe", "kvm_amd" if "svm" in flags else "kvm_intel")
    _keep_kvm_patched()


_kept: list[int] = []  # open until this process ends


def _keep_kvm_patched() -> None:
    """KVM patches branches of its own code, and one of the scheduler's, when the first machine comes and the last
    goes, and with each reset of a virtual CPU. QEMU 7.2's TCG may go on to run the breakpoint that marks a place being
    patched: a lab with two CPUs then freezes, or reports an int3. A machine that never runs keeps the branches as they
    are: it has a CPU whose APIC is off by software, as after a reset, and one whose APIC is off altogether."""
    if _kept:
        return
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    machine = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    fcntl.ioctl(machine, KVM_CREATE_IRQCHIP, 0)
    cpus = [fcntl.ioctl(machine, KVM_CREATE_VCPU, number) for number in (0, 1)]
    off = struct.pack("=IIIIQ", 1, 0, MSR_IA32_APICBASE, 0, 0xFEE00000)
    fcntl.ioctl(cpus[1], KVM_SET_MSRS, off)
    _kept.extend((kvm, machine, *cpus))
