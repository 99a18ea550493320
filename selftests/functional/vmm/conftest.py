# SPDX-License-Identifier: GPL-2.0-only
"""The VMM inside the lab: each setup is booted once on each kernel, and the tests judge what was seen.

VIREO_VMM names another build of it; VIREO_VHOSTDEV=/dev/vhost-net has the kernel's own device carry the vhost path.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from runlab import CHECKOUT, Result  # noqa: E402
from seen import Seen, guest_image  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from setups import SETUPS, Setup  # noqa: E402

VMM = Path(os.environ.get("VIREO_VMM", CHECKOUT / "build/host/userspace/vireo"))
TRAFFIC = CHECKOUT / "build/host/selftests/functional/vhost_net/traffic/traffic"


class SetupSeen(Seen):
    """What was seen of a setup."""

    def __init__(self, setup: Setup, result: Result) -> None:
        super().__init__(result)
        self.setup = setup


@pytest.fixture(scope="session")
def observed(lab):
    """observed("modern", "6.1", guest="6.1", image="vmlinux"): how the program in the lab ended."""

    def run(name: str, kernel: str, guest: str, image: str, memory: str = "3G", disk: bool = False) -> Result:
        for program in (VMM, TRAFFIC):
            assert program.exists(), f"{program} is not here; run make vmm"
        images = [guest_image(what, guest) for what in (image, "initrd")]
        command = ["selftests/functional/vmm/observe", name, str(VMM), *images, str(TRAFFIC), "report.json"]
        command += [guest_image("disk")] if disk else []
        return lab(*command, kernel=kernel, options=("--timeout", "1800", "--mem", memory))

    return run


@pytest.fixture(scope="session")
def seen_of(observed):
    """seen_of("modern", "6.1"): what was seen of the setup on that kernel, booted when it is asked for first."""
    found: dict[tuple[str, str], SetupSeen] = {}

    def see(name: str, kernel: str) -> SetupSeen:
        if (name, kernel) not in found:
            setup = SETUPS[name]
            found[name, kernel] = SetupSeen(setup, observed(name, kernel, setup.guest, setup.image))
        return found[name, kernel]

    return see


@pytest.fixture(scope="session")
def seen_in(observed):
    """seen_in("life", "6.1"): what was seen in the scenario on that kernel."""

    def see(name: str, kernel: str) -> Seen:
        scenario = SCENARIOS[name]
        return Seen(observed(name, kernel, scenario.guest, scenario.image, scenario.lab_memory, scenario.disk))

    return see
