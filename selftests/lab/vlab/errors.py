# SPDX-License-Identifier: GPL-2.0-only
"""The ways a run can end other than by the command's own status."""

GUEST_ENDED = 121  # the guest went away: the command powered it off, or QEMU died
KERNEL_REPORT = 122  # the kernel complained: oops, lockdep, KASAN, leak, ...
FROZEN = 123  # no guest time passes
TIMEOUT = 124  # as timeout(1)
CANNOT_START = 125  # the lab itself failed
CANNOT_EXEC = 126  # CMD is there, but cannot be executed
NOT_FOUND = 127  # CMD is not there


class LabError(Exception):
    """One sentence for the user, and the exit status that goes with it."""

    def __init__(self, message: str, status: int = CANNOT_START):
        super().__init__(message)
        self.status = status
