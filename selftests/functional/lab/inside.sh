#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run by test_command.py in the lab: finds out many things in one boot. Facts go
# to $VIREO_LAB_OUT/facts as key=value, a stream of known bytes to stdout.
set -u

fact() { echo "$1=$2" >>"$VIREO_LAB_OUT/facts"; }

fact kernel "$(uname -r)"
fact user "$(id -u)"
fact cwd "$PWD"
fact lab "$VIREO_LAB"
fact alias "$VIREO_LAB_KERNEL"
fact modules "$VIREO_MODULES"
fact given "${LAB_TEST_GIVEN:-}"
fact seed "${VIREO_TEST_SEED:-}"
fact not_given "${LAB_TEST_NOT_GIVEN:-nothing}"
fact arguments "$# $1|$2|$3"
fact stdin "$(wc -c)"
fact tty "$(tty)"

# The machine's files, and that nothing written to them lasts.
echo changed >"$PWD/lab-test-must-not-last" && fact write_checkout ok
echo changed >/etc/lab-test-must-not-last && fact write_etc ok
echo shared >"$VIREO_LAB_OUT/shared" && fact write_out ok
fact listed "$(find selftests -type f | wc -l)"
fact statted "$(find selftests -type f -exec stat -c %i {} + | sort -u | wc -l)"
fact git "$(git status --porcelain -- selftests/lab/run 2>&1)"

# Tools that a test may want.
fact python "$(/usr/bin/python3 -c 'import json; print("ok")')"
printf 'int main(void) { return 42; }\n' >/tmp/lab-test.c
gcc -o /tmp/lab-test /tmp/lab-test.c && /tmp/lab-test
fact compiled $?

# What a kernel module's tests want of the system.
fact modprobe "$(modprobe kvm_amd 2>&1 || modprobe kvm_intel 2>&1)"
fact kvm "$(test -c /dev/kvm && echo ok)"
fact tun "$(exec 3<>/dev/net/tun && echo ok)"
fact debugfs "$(test -d /sys/kernel/debug/sched -o -d /sys/kernel/debug/tracing && echo ok)"
fact cgroup "$(mkdir /sys/fs/cgroup/lab-test && test -e /sys/fs/cgroup/lab-test/cgroup.procs && echo ok)"
mkfifo /tmp/lab-test.fifo && fact fifo ok
/usr/bin/python3 - >>"$VIREO_LAB_OUT/facts" <<'PYTHON'
import mmap
import os
import socket

server = socket.socket(socket.AF_UNIX)
server.bind("/tmp/lab-test.socket")
print("socket=ok")
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname())
print("loopback=ok")
with open(os.environ["VIREO_LAB_OUT"] + "/mapped", "w+b") as f:
    f.truncate(4096)
    with mmap.mmap(f.fileno(), 4096) as m:
        m[:6] = b"mapped"
print("mmap=ok")
leader, follower = os.openpty()
print("pty=ok")
PYTHON

# Streams: reopened by name, kept apart, and complete, however much it is.
echo "reopened stdout" >/dev/stdout
echo "reopened stderr" >/dev/stderr
seq 1 "$LAB_TEST_LINES"
echo "last of stderr" >&2

# What is left running must not keep the lab from ending.
sleep 100000 &
exit 37
