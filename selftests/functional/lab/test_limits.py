# SPDX-License-Identifier: GPL-2.0-only
"""Ends that are neither the command's own nor the kernel's."""

import pytest

GUEST_ENDED, TIMEOUT, CANNOT_START = 121, 124, 125


def test_the_time_limit_counts_from_the_start(lab):
    result = lab("sleep", "100000", options=("--timeout", "2"))
    assert result.status == TIMEOUT, str(result)
    assert "the lab had not booted after 2 s" in result.stderr


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


@pytest.mark.full
def test_a_kernel_that_cannot_boot_is_told(lab):
    """Too little memory for the kernel is the simplest boot failure from outside."""
    result = lab("true", options=("--append", "mem=24M", "--timeout", "120"))
    assert result.status in (CANNOT_START, 122, 123), str(result)
    assert "lab: " in result.stderr
