# SPDX-License-Identifier: GPL-2.0-only
"""The one way to fail, and the way to say how far it is."""

import sys


class GuestError(Exception):
    """What was attempted, what was found, what to do next: shown to the user as it is."""


def say(text: str) -> None:
    print(f"guest: {text}", file=sys.stderr, flush=True)
