# SPDX-License-Identifier: GPL-2.0-only
"""Trouble in the kernel fails the run, whatever the command's status, with the report shown."""

import re

import pytest

KERNEL_REPORT, FROZEN, TIMEOUT = 122, 123, 124


def reports(result):
    """The lines that the lab printed below each "the kernel reported:"."""
    return re.findall(r"^lab: the kernel reported:\n((?:  .*\n)*)", result.stderr, re.M)


def cause(lab, trouble_module, kind, kernel="6.1", options=()):
    return lab("sh", "-c", f"echo before; insmod {trouble_module(kernel)} what={kind}; echo after",
               kernel=kernel, options=options)


@pytest.mark.parametrize("kernel", ["6.1", pytest.param("6.12", marks=pytest.mark.full)])
def test_a_warning_fails_a_command_that_succeeded(lab, trouble_module, kernel):
    result = cause(lab, trouble_module, "warn", kernel)
    assert result.status == KERNEL_REPORT, str(result)
    assert result.text == "before\nafter\n"
    (report,) = reports(result)
    assert "lab_trouble: a warning was asked for" in report
    assert "cut here" in report.splitlines()[0] and "end trace" in report.splitlines()[-1]
    assert "the command's own status was 0" in result.stderr


@pytest.mark.parametrize("kind, words", [
    ("oops", "NULL pointer dereference"),
    pytest.param("panic", "a panic was asked for", marks=pytest.mark.full),
])
def test_after_an_oops_nobody_waits(lab, trouble_module, kind, words):
    result = cause(lab, trouble_module, kind, options=("--timeout", "3000"))
    assert result.status == KERNEL_REPORT, str(result)
    assert result.text == "before\n"
    (report,) = reports(result)
    assert words in report


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=pytest.mark.full)])
def test_a_frozen_guest_is_told_as_such_with_where_it_stood(lab, trouble_module, cpus):
    result = cause(lab, trouble_module, "freeze",
                   options=("--timeout", "3000", "--smp", str(cpus)))
    assert result.status == FROZEN, str(result)
    assert re.search(r"^lab: frozen: no guest time has passed for \d+ s while QEMU used \d+ s "
                     r"of CPU$", result.stderr, re.M)
    for cpu in range(cpus):
        assert re.search(rf"^  CPU {cpu}: RIP 0x[0-9a-f]+, interrupts off, module lab_trouble\+",
                         result.stderr, re.M), str(result)
    # The stack tells how the module came to run there.
    assert "do_init_module+" in result.stderr


@pytest.mark.full
def test_trouble_behind_a_silenced_console_is_known_by_its_taint(lab, trouble_module):
    result = lab("sh", "-c", f"dmesg -n 1; insmod {trouble_module('6.1')} what=warn")
    assert result.status == KERNEL_REPORT, str(result)
    assert "the kernel is tainted (warning) without a report on its console" in result.stderr


@pytest.mark.full
def test_a_freeze_under_icount_is_noticed(lab, trouble_module):
    result = cause(lab, trouble_module, "freeze", options=("--timeout", "3000", "--icount"))
    assert result.status == FROZEN, str(result)
    assert "lab: frozen: no guest time has passed" in result.stderr


@pytest.mark.full
def test_one_dead_cpu_is_noticed(lab, trouble_module):
    result = cause(lab, trouble_module, "freeze-one", options=("--timeout", "3000"))
    assert result.status == FROZEN, str(result)
    assert re.search(r"frozen in part: CPU \d has run no process", result.stderr)


@pytest.mark.full
def test_a_halted_guest_is_noticed(lab, trouble_module):
    result = cause(lab, trouble_module, "halt", options=("--timeout", "3000"))
    assert result.status == FROZEN, str(result)
    assert "lab: halted: no guest time has passed" in result.stderr
    assert "halted, module lab_trouble+" in result.stderr


@pytest.mark.parametrize("kernel", ["debug", pytest.param("debug-6.12", marks=pytest.mark.full)])
def test_the_debug_kernels_checks_are_on(lab, trouble_module, kernel):
    """One boot for all of them. lockdep is first: it stops looking after any other report."""
    kinds = ("lockdep", "atomic", "ubsan", "leak", "kasan")
    module = trouble_module(kernel)
    script = "; ".join(f"insmod {module} what={kind}; rmmod lab_trouble" for kind in kinds)
    result = lab("sh", "-c", script, kernel=kernel)
    assert result.status == KERNEL_REPORT, str(result)
    found = reports(result)
    for words in ("possible circular locking dependency", "scheduling while atomic",
                  "UBSAN: array-index-out-of-bounds", "KASAN: slab-out-of-bounds"):
        assert sum(words in report for report in found) == 1, f"{words}\n{result}"
    assert "memory leaked by the kernel while the command ran" in result.stderr, str(result)
    assert "lab_trouble: le" in result.stderr  # what the lost object holds, as kmemleak dumps it


@pytest.mark.full  # other tests on the debug kernel pass, which says the same
def test_a_clean_run_of_the_debug_kernel_passes(lab, trouble_module):
    """Nothing in the boot, nor in loading and unloading a module, counts as trouble."""
    module = trouble_module("debug")
    result = lab("sh", "-c", f"insmod {module} && rmmod lab_trouble && exit 5", kernel="debug")
    assert result.status == 5, str(result)
    assert result.stderr == ""
