# SPDX-License-Identifier: GPL-2.0-only
"""Guests for the lab: what they boot, and how a program in the lab drives one.

    images      the cache: which image belongs to which input, made when missing
    packages    Debian packages, fetched and kept
    initrd      the small guest initrd
    elf         programs and the libraries they reach
    disk        the Debian root disk
    nested      boots a guest under KVM in the lab, talks to it, powers it off
"""
