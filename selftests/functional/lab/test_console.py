# SPDX-License-Identifier: GPL-2.0-only
"""What in a kernel's log is a report, and which lines belong to it."""

import textwrap

import pytest

from vlab.console import Log, Scanner


def scan(text, chunk=None):
    scanner = Scanner()
    data = textwrap.dedent(text).lstrip("\n").encode()
    step = chunk or len(data)
    for i in range(0, len(data), step):
        scanner.feed(data[i:i + step])
    scanner.finish()
    return scanner


def lines_of(text, **kwargs):
    return [report.lines for report in scan(text, **kwargs).reports]


WARNING = """
    [    1.000000] tun: Universal TUN/TAP device driver, 1.6
    [    2.000000] ------------[ cut here ]------------
    [    2.000001] refcount_t: underflow; use-after-free.
    [    2.000002] WARNING: CPU: 1 PID: 94 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
    [    2.000003] Call Trace:
    [    2.000004]  <TASK>
    [    2.000005]  </TASK>
    [    2.000006] ---[ end trace 0000000000000000 ]---
    [    2.000007] the next line is none of it
"""


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_a_warning_is_from_its_scissors_to_its_end(chunk):
    (report,) = lines_of(WARNING, chunk=chunk)
    assert report[0].startswith("------------[ cut here")
    assert report[-1].startswith("---[ end trace")
    assert len(report) == 7


def test_a_callers_id_in_the_prefix_is_no_obstacle():
    (report,) = lines_of("""
        [    2.000000][  T123] BUG: sleeping function called from invalid context at x.c:1
        [    2.000001][  T123] Call Trace:
        [    2.000002][  T123]  <TASK>
        [    2.000003][  T123]  </TASK>
        [    2.000004][    T1] something else
    """)
    assert len(report) == 4


def test_kasan_is_from_rule_to_rule():
    (report,) = lines_of("""
        [    2.000000] ==================================================================
        [    2.000001] BUG: KASAN: slab-out-of-bounds in trouble_kasan+0x10/0x20
        [    2.000002] Write of size 1 at addr ffff888000000040 by task insmod/90
        [    2.000003] Call Trace:
        [    2.000004]  <TASK>
        [    2.000005]  </TASK>
        [    2.000006] Allocated by task 90:
        [    2.000007] ==================================================================
        [    2.000008] Disabling lock debugging due to kernel taint
    """)
    assert report[0].startswith("====") and report[-1].startswith("====")
    assert len(report) == 8


def test_lockdep_ends_with_its_last_stack():
    (report,) = lines_of("""
        [    2.000000] ======================================================
        [    2.000001] WARNING: possible circular locking dependency detected
        [    2.000002] 6.1.0 #1 Tainted: G           O
        [    2.000003] ------------------------------------------------------
        [    2.000004] insmod/90 is trying to acquire lock:
        [    2.000005] -> #1 (second){+.+.}-{3:3}:
        [    2.000006] stack backtrace:
        [    2.000007] Call Trace:
        [    2.000008]  <TASK>
        [    2.000009]  </TASK>
        [    2.000010] tun: unrelated
    """)
    assert report[0].startswith("====")
    assert report[-1].strip() == "</TASK>"


def test_a_report_without_an_end_is_over_when_time_has_passed():
    (report,) = lines_of("""
        [   20.000000] rcu: INFO: rcu_preempt self-detected stall on CPU
        [   20.000100] rcu:     1-....: (5249 ticks this GP)
        [   25.000000] tun: unrelated
    """)
    assert len(report) == 2


@pytest.mark.parametrize("line, ends", [
    ("Kernel panic - not syncing: asked for", True),
    ("watchdog: BUG: soft lockup - CPU#1 stuck for 61s! [insmod:94]", True),
    ("INFO: task cat:94 blocked for more than 120 seconds.", True),
    ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", True),
    ("rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }", True),
    ("BUG: kernel NULL pointer dereference, address: 0000000000000000", False),
    ("BUG: scheduling while atomic: insmod/94/0x00000002", False),
    ("BUG: KCSAN: data-race in a / b", False),
    ("BUG kmalloc-64 (Tainted: G    O): Poison overwritten", False),
    ("general protection fault, probably for non-canonical address 0xdead: 0000 [#1]", False),
    ("Oops: 0000 [#1] PREEMPT SMP", False),
    ("UBSAN: array-index-out-of-bounds in x.c:1:2", False),
    ("WARNING: suspicious RCU usage", False),
    ("INFO: trying to register non-static key.", False),
    ("ODEBUG: free active (active state 0) object type: timer_list", False),
    ("list_del corruption. prev->next should be a, but was b", False),
])
def test_each_kind_is_a_report(line, ends):
    (report,) = scan(f"[    2.000000] {line}\n").reports
    assert report.lines == [line]
    assert report.ends_run == ends


@pytest.mark.parametrize("line", [
    "traps: a.out[94] general protection fault ip:401136 sp:7ffd error:0 in a.out[401000+1000]",
    "a.out[94]: segfault at 0 ip 0000 sp 0000 error 6 in a.out",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
    "AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.",
    "alg: self-tests for CTR-KDF (hmac(sha256)) passed",
    "lab_trouble: loading out-of-tree module taints kernel.",
    "DEBUG: nothing",
])
def test_ordinary_lines_are_none(line):
    assert scan(f"[    2.000000] {line}\n").reports == []


def test_an_oops_and_the_panic_that_follows_are_one_report():
    (report,) = lines_of("""
        [    2.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000
        [    2.000001] Oops: 0000 [#1] PREEMPT SMP
        [    2.000002] ---[ end trace 0000000000000000 ]---
        [    2.000003] Kernel panic - not syncing: Fatal exception
    """)
    assert report[-1].startswith("Kernel panic")


def test_two_warnings_are_two_reports():
    assert len(lines_of(textwrap.dedent(WARNING) * 2)) == 2


def test_the_first_process_tells_why_it_gave_up():
    scanner = scan("[    2.000000] vireo-lab: fatal: mount root (9p) on /lower: No such device\n")
    assert scanner.fatal == "mount root (9p) on /lower: No such device"
    assert scanner.reports == []


def test_the_end_of_the_command_is_seen():
    assert scan("[    2.000000] vireo-lab: end of command\n").command_ended


def test_runs_at_the_same_time_have_logs_of_their_own(tmp_path):
    first, second = Log(tmp_path), Log(tmp_path)
    assert (first.path.name, second.path.name) == ("console.log", "console-2.log")
