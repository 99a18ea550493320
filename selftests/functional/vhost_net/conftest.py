# SPDX-License-Identifier: GPL-2.0-only
"""QEMU on a vhost device inside the lab: each scenario is run once for each kernel, and the tests judge what was seen.

VIREO_VHOSTDEV=/dev/vhost-net runs them against the kernel's own device, to see whether a failure is ours.
"""

import os
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cards import BITS, Card  # noqa: E402
from seen import Seen, expect_datagrams, expect_ping, expect_stream, guest_image  # noqa: E402

TRAFFIC = CHECKOUT / "build/host/selftests/functional/vhost_net/traffic/traffic"

# The lab's kernel, and the guest's in it.
GUEST_KERNELS = {"6.1": "6.1", "6.12": "6.12", "debug": "6.1", "debug-6.12": "6.12"}

DEVICE = os.environ.get("VIREO_VHOSTDEV", "/dev/vireo-net")
# What the kernel's own device does not have is not asked of it.
OFFERED = frozenset(BITS) - (frozenset() if DEVICE == "/dev/vireo-net" else {"PACKED", "RING_RESET"})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", action="append", help="of the lab: only what runs on it; may be given again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if wanted := config.option.kernel:
        others = [item for item in items if _kernel_of(item) not in wanted]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _kernel_of(item: pytest.Item) -> str | None:
    """Tests have it, or the fixture that stands for the scenario, as a parameter."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return next((value for value in parameters.values() if value in GUEST_KERNELS), None)


@pytest.fixture(scope="session")
def seen_in(lab):
    """seen_in("options", "6.1"): the report of the scenario, run when it is asked for first."""
    reports: dict = {}

    def see(scenario: str, kernel: str, memory: str = "3G", disk: bool = False) -> Seen:
        if (scenario, kernel) not in reports:
            assert TRAFFIC.exists(), f"{TRAFFIC} is not here; run make vmm"
            images = [guest_image(what, GUEST_KERNELS[kernel]) for what in ("vmlinux", "initrd")]
            disks = [guest_image("disk")] if disk else []
            command = ["selftests/functional/vhost_net/observe", scenario, *images, str(TRAFFIC), "report.json", *disks]
            result = lab(*command, kernel=kernel, options=("--timeout", "1500", "--mem", memory))
            reports[scenario, kernel] = Seen(result)
        return reports[scenario, kernel]

    return see


def expect_negotiated(card: Card, found: dict, more: frozenset[str] = frozenset()) -> None:
    """The guest, QEMU and the vhost device agree on what was wanted, and the device runs the rings."""
    wanted = card.negotiated | more
    for name, (bit, told) in BITS.items():
        expected = name in wanted and name in OFFERED
        assert (found["guest"][bit] == "1") == expected, f"{card.name}: {name} in the guest: {found}"
        # QEMU 7.2's monitor has no name for a reset of single rings, and does not tell of it.
        if name != "RING_RESET":
            assert (told in found["qemu"]) == expected, f"{card.name}: {name} in QEMU: {found}"
            assert (told in found["acked"]) == expected, f"{card.name}: {name} in the device: {found}"
    assert found["vhost started"]


def expect_carried(traffic: dict) -> None:
    """The device moved it all, by its own account. The kernel's own device gives none."""
    if DEVICE == "/dev/vireo-net":
        for way, asked in zip(("receive", "transmit"), traffic["tcp"]["asked"], strict=True):
            assert sum(pair[way] for pair in traffic["carried by the device"]) > asked, traffic


def expect_counters(found: dict) -> None:
    """The device has moved packets both ways, and nothing was wrong with any. The kernel's own has no counters."""
    for name, pairs in found.items():
        for way in ("receive", "transmit"):
            assert DEVICE != "/dev/vireo-net" or sum(pair[way]["packets"] for pair in pairs) > 0, f"{name}: {pairs}"
            for pair in pairs:
                wrong = {what: pair[way][what] for what in ("drops", "ring_errors", "faults", "last_error")}
                assert not any(wrong.values()), f"{name}, {way}: {wrong}"


def expect_traffic(seen: Seen, card: Card) -> None:
    """What scenario_options.carry() has tried on a card."""
    expect_negotiated(card, seen["negotiated"][card.name])
    traffic = seen[f"traffic {card.name}"]
    expect_ping(traffic["ping"])
    expect_stream(traffic["tcp"])
    expect_datagrams(traffic["udp"])
    expect_carried(traffic)


def expect_clean_end(seen: Seen) -> None:
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    expect_counters(seen["counters"])
    assert not seen["complaints"]
    assert seen["exit status"] == 0
    assert seen["users at the end"] == 0
