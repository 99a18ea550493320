# SPDX-License-Identifier: GPL-2.0-only
"""Where things are."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Callable

VLAB = Path(__file__).resolve().parent
LAB = VLAB.parent
CHECKOUT = LAB.parent.parent


def cache_root() -> Path:
    """The cache shared by all of the project's tools, outside the checkout."""
    explicit = os.environ.get("VIREO_CACHE")
    if explicit:
        return Path(explicit).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base).absolute() / "vireo"


def digest(*parts: bytes) -> str:
    """A name for what is made from these parts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()[:20]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The file of that name in the lab's cache; `make` writes it if it is not there.

    It appears by rename, so that runs at the same time see all of it or nothing.
    """
    target = cache_root() / "lab" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        made = Path(scratch) / "made"
        make(made)
        os.replace(made, target)
    return target
