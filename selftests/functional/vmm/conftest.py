# SPDX-License-Identifier: GPL-2.0-only
"""The VMM inside the lab: each setup is booted once on each kernel, and the tests judge what was seen.

VIREO_VMM names another build of it; VIREO_VHOSTDEV=/dev/vhost-net has the kernel's own device carry the vhost path.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from setups import SETUPS, Setup  # noqa: E402

VMM = Path(os.environ.get("VIREO_VMM", CHECKOUT / "build/host/userspace/vireo"))
TRAFFIC = CHECKOUT / "build/host/selftests/functional/vhost_net/traffic/traffic"


class Seen:
    """What was seen of a setup; whoever asks for what is not in it gets the whole story."""

    def __init__(self, setup: Setup, result) -> None:
        self.setup = setup
        self.result = result
        path = result.out / "report.json"
        self._report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def __getitem__(self, what: str):
        failures = self._report.get("failures", {})
        assert what not in failures, f"{failures[what]}\n{self.result}"
        assert what in self._report, f'"{what}" was not reached: {self._report.get("failure", "")}\n{self.result}'
        return self._report[what]

    @property
    def failures(self) -> dict:
        return self._report.get("failures", {})


@pytest.fixture(scope="session")
def seen_of(lab):
    """seen_of("modern", "6.1"): what was seen of the setup on that kernel, booted when it is asked for first."""
    found: dict[tuple[str, str], Seen] = {}

    def image(what: str, kernel: str) -> str:
        command = [CHECKOUT / "selftests/lab/guest", what, kernel]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def see(name: str, kernel: str) -> Seen:
        if (name, kernel) not in found:
            for program in (VMM, TRAFFIC):
                assert program.exists(), f"{program} is not here; run make vmm"
            setup = SETUPS[name]
            images = [image(what, setup.guest) for what in (setup.image, "initrd")]
            command = ["selftests/functional/vmm/observe", name, str(VMM), *images, str(TRAFFIC), "report.json"]
            result = lab(*command, kernel=kernel, options=("--timeout", "1800", "--mem", "3G"))
            found[name, kernel] = Seen(setup, result)
        return found[name, kernel]

    return see
