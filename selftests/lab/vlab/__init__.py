# SPDX-License-Identifier: GPL-2.0-only
"""The lab: one command in a throwaway virtual machine on a chosen kernel.

    cli         options, messages, exit status
    paths       where things are: checkout, caches
    kernels     what a kernel alias stands for; the ELF image inside a bzImage
    initramfs   PID 1 and the modules it needs, cached by content
    job         what PID 1 is told
    qemu        the command line, the process and its life
    tsc         the frequency of this machine's time stamp counter
    session     the event loop between guest and caller
    console     the kernel's log: written to a file, read for reports
    freeze      does guest time pass?
    where       where each CPU stands
    symbols     names for addresses
    monitor     QEMU's monitor
    terminal    raw mode and window size for --shell

Documentation/lab.md tells how they work together.
"""
