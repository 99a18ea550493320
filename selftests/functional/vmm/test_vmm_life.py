# SPDX-License-Identifier: GPL-2.0-only
"""How a machine begins again, fails, and ends; and what the VMM leaves of its terminal. scenario_life.py sees it."""

import signal

import pytest

RESETS = ("reset by keyboard", "reset by port", "triple fault")


@pytest.fixture(scope="module", params=["6.1", pytest.param("6.12", marks=pytest.mark.full)])
def seen(request, seen_in):
    return seen_in("life", request.param)


@pytest.mark.parametrize("what", [*RESETS, "power off"])
def test_ends_by_itself(seen, what):
    """Where a reset is the end."""
    assert seen[f"{what}, -no-reboot"] == {"status": 0, "boots": 1}


@pytest.mark.parametrize("what", RESETS)
def test_begins_again(seen, what):
    assert seen[what] == {"status": 0}


def test_power_off_may_keep_the_vmm(seen):
    found = seen["power off, -no-shutdown"]
    assert found["state"] == "shutdown" and found["after a reset"] == "prelaunch"
    assert "powered off" in found["cont"]
    assert found["status"] == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_ends_by_the_second_signal(seen, name):
    assert seen[name] == {"after one": "running", "status": 0}


def test_failed_cpu_is_told(seen):
    found = seen["a failed vCPU"]
    assert found["state"] == {"running": False, "singlestep": False, "status": "internal-error"}
    assert "reset the machine first" in found["cont"]
    assert found["after a reset"] == "prelaunch"
    assert found["status"] == 1


def test_failed_cpu_ends_a_vmm_that_nobody_watches(seen):
    found = seen["a failed vCPU, no monitor"]
    assert found["status"] == 1
    assert "vCPU 0" in found["said"] and "rip 00000000d0000000" in found["said"]
    assert found["unheard"] == 1


ENDS = {
    "power-off": 0, "triple fault, -no-reboot": 0, "failed vCPU": 1, "Ctrl-a x": 0, "SIGTERM twice": 0,
    "SIGABRT": -signal.SIGABRT, "SIGSEGV": -signal.SIGSEGV, "SIGQUIT": -signal.SIGQUIT,
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_terminal_is_put_back(seen, end):
    assert seen["terminal"][end] == {"status": ENDS[end], "raw": True, "restored": True, "was cooked": True}


def test_linux_reboots_and_panics(seen):
    found = seen["linux"]
    assert len(set(found["boots"])) == 3
    assert found["panicked"]


def test_sigterm_is_the_power_button(seen):
    assert seen["linux"]["button"] == "Power Button"
    assert seen["linux"]["status"] == 0


def test_panic_may_be_the_end(seen):
    assert seen["linux, -no-reboot"] == {"status": 0, "panicked": True}


def test_ends_cleanly(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
