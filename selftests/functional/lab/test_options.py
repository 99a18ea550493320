# SPDX-License-Identifier: GPL-2.0-only
"""Options that change the machine or the streams: one boot with all of them."""

import hashlib

import pytest

SCRIPT = """
nproc
awk '/MemTotal/ { print $2 }' /proc/meminfo
cat /proc/cmdline
sha256sum
modprobe virtio_blk
head -c 7 /dev/vda; echo
printf written | dd of=/dev/vda bs=1M conv=notrunc status=none
"""


@pytest.fixture(scope="module")
def seen(lab, tmp_path_factory):
    image = tmp_path_factory.mktemp("disk") / "image"
    image.write_bytes(b"a disk!" + bytes(1 << 20))
    text = b"".join(b"line %d\n" % i for i in range(200000))
    result = lab("sh", "-c", SCRIPT, stdin=text,
                 options=("--stdin", "--smp", "3", "--mem", "1G", "--append", "lab_test=1",
                          "--qemu", f"-drive file={image},if=virtio,format=raw"))
    assert result.status == 0, str(result)
    cpus, memory, cmdline, digest, disk = result.text.splitlines()
    return {"cpus": int(cpus), "memory": int(memory), "cmdline": cmdline, "disk": disk,
            "digest": digest.split()[0], "sent": hashlib.sha256(text).hexdigest(),
            "image": image.read_bytes()}


def test_cpus_and_memory(seen):
    assert seen["cpus"] == 3
    assert 0.8 * (1 << 20) < seen["memory"] <= 1 << 20  # KiB


def test_kernel_arguments_are_added(seen):
    assert seen["cmdline"].endswith(" lab_test=1")


def test_stdin_arrives_whole_and_ends(seen):
    assert seen["digest"] == seen["sent"]


def test_a_disk_is_read_and_complete_afterwards(seen):
    assert seen["disk"] == "a disk!"
    assert seen["image"].startswith(b"written")
