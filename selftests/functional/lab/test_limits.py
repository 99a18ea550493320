# SPDX-License-Identifier: GPL-2.0-only
"""Ends that are neither the command's own nor the kernel's."""

import pytest

GUEST_ENDED, TIMEOUT, CANNOT_START = 121, 124, 125


def test_the_time_limit_counts_from_the_start(lab):
    result = lab("sleep", "100000", options=("--timeout", "0.5"))
    assert result.status == TIMEOUT, str(result)
    assert "the lab had not booted" in result.stderr


@pytest.mark.full
def test_at_the_time_limit_the_log_tells_who_waits_for_what(lab):
    script = "mkfifo /tmp/f; exec 3<>/tmp/f; echo waiting; read never <&3"
    result = lab("sh", "-c", script, options=("--timeout", "60"))
    assert result.status == TIMEOUT, str(result)
    assert "the command had not ended after 60 s" in result.stderr
    assert "waiting" in result.text
    assert "sysrq: Show Blocked State" in (result.out / "console.log").read_text()


def test_powering_off_is_not_success(lab):
    result = lab("sh", "-c", "echo o >/proc/sysrq-trigger; sleep 100000")
    assert result.status == GUEST_ENDED, str(result)
    assert "the guest ended before the command did" in result.stderr


def test_a_lab_that_cannot_boot_says_why(lab):
    """PID 1 gives up when a module does not load; the kernel can be told to refuse one."""
    result = lab("true", options=("--append", "module_blacklist=9p"))
    assert result.status == CANNOT_START, str(result)
    assert "lab: the lab could not boot: load /lab/m/9p.ko: Operation not permitted" in result.stderr
