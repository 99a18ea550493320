# SPDX-License-Identifier: GPL-2.0-only
"""A guest under KVM inside the lab: booted once for each kernel of the lab, and what was seen of it."""

import json
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]

# The lab's kernel, and the guest's in it.
NESTED = [
    pytest.param(("6.1", "6.1"), id="6.1"),
    pytest.param(("6.12", "6.12"), id="6.12"),
    pytest.param(("debug", "6.1"), id="debug"),
    pytest.param(("debug-6.12", "6.12"), id="debug-6.12", marks=pytest.mark.full),
]


@pytest.fixture(scope="session")
def guest_image():
    """guest_image("initrd", "6.12") is what selftests/lab/guest prints."""

    def ask(*what: str) -> str:
        done = subprocess.run([CHECKOUT / "selftests/lab/guest", *what], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()

    return ask


class Seen:
    """The report of nested_guest; whoever asks for what is not in it gets the whole story."""

    def __init__(self, guest_kernel: str, result) -> None:
        self.guest_kernel = guest_kernel
        self.result = result
        report = result.out / "nested.json"
        self._report = json.loads(report.read_text()) if report.exists() else {}

    def __getitem__(self, what: str):
        assert what in self._report, f'"{what}" was not reached: {self._report.get("failure", "")}\n{self.result}'
        return self._report[what]


@pytest.fixture(scope="module", params=NESTED)
def seen(request, lab, guest_image) -> Seen:
    kernel, guest_kernel = request.param
    images = [guest_image(what, guest_kernel) for what in ("vmlinux", "initrd")]
    command = 'exec selftests/functional/guest/nested_guest "$@" "$VIREO_LAB_OUT/nested.json"'
    return Seen(guest_kernel, lab("sh", "-c", command, "sh", *images, kernel=kernel, options=("--timeout", "1500")))
