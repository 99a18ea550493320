# SPDX-License-Identifier: GPL-2.0-only
"""The Debian root disk boots in plain QEMU: by itself from its first sector, and handed over to by the small initrd."""

import subprocess
from contextlib import contextmanager

import pytest

from guests.channel import Channel, Closed

LIMIT = 900  # seconds of an emulated CPU on a machine that has other things to do


@contextmanager
def booted(disk: str, *arguments: str):
    """The guest's serial line, both ways."""
    serial = Channel()
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-drive", f"file={disk},format=raw,if=virtio,snapshot=on",
        "-chardev", f"socket,id=serial,fd={serial.theirs.fileno()}", "-serial", "chardev:serial", *arguments,
    ]  # fmt: skip
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[serial.theirs.fileno()])
    serial.start()
    try:
        yield serial, qemu
    finally:
        qemu.kill()
        qemu.wait()
        serial.close()


def ask(serial: Channel, command: str) -> str:
    """The last line that a command at root's prompt prints; its own echo holds the mark in two halves."""
    serial.send(f"{command}; echo 'MA''RK'\n".encode())
    answer = serial.expect(rb"(.*)\nMARK\r", LIMIT)[1]
    return answer.decode(errors="replace").strip().splitlines()[-1]


def log_in_and_power_off(serial: Channel, qemu: subprocess.Popen) -> None:
    serial.expect(rb"debian-guest login: root \(automatic login\)", LIMIT)
    serial.expect(rb"root@debian-guest:~# ", LIMIT)
    assert ask(serial, "systemctl is-active multi-user.target systemd-networkd | sort -u") == "active"
    assert ask(serial, "findmnt -n -o FSTYPE,LABEL /").split() == ["ext4", "vireo-root"]
    assert ask(serial, "fio --version").startswith("fio-")
    assert ask(serial, "iperf3 --version | head -n 1").startswith("iperf 3")
    assert ask(serial, "ethtool --version").startswith("ethtool version")
    serial.send(b"poweroff\n")
    with pytest.raises(Closed):
        serial.expect(rb"(?!)", LIMIT)
    assert qemu.wait() == 0


@pytest.mark.full
def test_boots_by_itself(guest_image):
    """SeaBIOS, the first sector, GRUB with its menu file, the kernel and initrd it reads from ext4, systemd."""
    with booted(guest_image("disk")) as (serial, qemu):
        log_in_and_power_off(serial, qemu)


@pytest.mark.full
def test_boots_from_the_small_initrd(guest_image):
    append = "console=ttyS0 loglevel=5 vireo.root=/dev/vda1"
    kernel = ["-kernel", guest_image("vmlinux"), "-initrd", guest_image("initrd"), "-append", append]
    with booted(guest_image("disk"), *kernel) as (serial, qemu):
        log_in_and_power_off(serial, qemu)
