# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the runner with small tiers of its own: hangs, crashes, needs, and the sums at the end."""

import io
import os
import subprocess
import time
from pathlib import Path

import pytest
from checks import tiers as table
from checks.results import Results
from checks.runner import Outcome, Runner, report
from checks.tiers import Tier

CHECK = Path(__file__).resolve().parent.parent / "check"


def run(tmp_path, *tiers, cores=2):
    said = []
    outcomes = Runner(tmp_path, "check", 7, cores, said.append).run(list(tiers))
    return {outcome.tier.name: outcome.results for outcome in outcomes}, "\n".join(said)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def wait_until(condition) -> bool:
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_pass_and_fail(tmp_path):
    results, said = run(tmp_path, Tier("good", "", "true"), Tier("bad", "", "echo the reason; false"))
    assert results["good"].passed == 1 and not results["good"].failed
    assert results["bad"].failures == ["bad: exit status 1"]
    assert "| the reason" in said
    assert "selftests/check check bad" in said


def test_a_pipe_hides_no_failure(tmp_path):
    results, _ = run(tmp_path, Tier("pipe", "", "false | cat"))
    assert results["pipe"].failed == 1


def test_crash_is_a_failure(tmp_path):
    results, _ = run(tmp_path, Tier("crash", "", "kill -SEGV $$"))
    assert "signal 11" in results["crash"].failures[0]


def test_hang_is_stopped_with_all_that_it_started(tmp_path):
    results, _ = run(tmp_path, Tier("hang", "", "sleep 1000 & echo $! >pid; wait", limit=1))
    assert "limit of 1 s" in results["hang"].failures[0]
    assert wait_until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_leftovers_are_ended(tmp_path):
    run(tmp_path, Tier("untidy", "", "sleep 1000 & echo $! >pid"))
    assert wait_until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_needs_come_first(tmp_path):
    results, _ = run(tmp_path, Tier("b", "", "test -e made", needs=("a",)), Tier("a", "", "touch made"))
    assert results["b"].passed == 1


def test_what_needs_a_failed_tier_is_skipped_and_said(tmp_path):
    results, _ = run(
        tmp_path,
        Tier("a", "", "false"),
        Tier("b", "", "true", needs=("a",)),
        Tier("c", "", "true", needs=("b",)),
    )
    assert results["b"].skips == ["b: needs a, which did not pass"]
    assert results["c"].skipped == 1 and not results["c"].passed


def test_cores_are_shared_out(tmp_path):
    # Each waits for the other: side by side they pass, one after the other the first hangs.
    meet = "touch $ME; until test -e $OTHER; do sleep 0.05; done"
    pair = [
        Tier("x", "", f"ME=x OTHER=y; {meet}", limit=30),
        Tier("y", "", f"ME=y OTHER=x; {meet}", limit=30),
    ]
    results, _ = run(tmp_path, *pair)
    assert not results["x"].failed and not results["y"].failed


def test_a_tier_for_all_cores_runs_alone(tmp_path):
    alone = "test ! -e busy; touch busy; sleep 0.3; rm busy"
    results, _ = run(tmp_path, *(Tier(f"t{n}", "", alone, cores=2) for n in range(3)))
    assert not any(each.failed for each in results.values())


def test_a_tier_for_more_cores_than_there_are_runs(tmp_path):
    results, _ = run(tmp_path, Tier("wide", "", "true", cores=8), cores=1)
    assert results["wide"].passed == 1


def test_tiers_are_told_where_results_go_and_the_seed(tmp_path):
    command = """test $VIREO_SEED = 7; test $VIREO_CHECK = check
        echo '<testsuites><testcase name="a"/></testsuites>' >$RESULTS/a.xml"""
    results, _ = run(tmp_path, Tier("told", "", command, "junit"))
    assert results["told"].passed == 1 and not results["told"].failed


def test_results_of_an_earlier_run_do_not_count(tmp_path):
    old = tmp_path / "build" / "logs" / "quiet"
    old.mkdir(parents=True)
    (old / "old.xml").write_text('<testsuites><testcase name="a"/></testsuites>')
    results, _ = run(tmp_path, Tier("quiet", "", "true", "junit"))
    assert results["quiet"].failures == ["quiet: ran no test"]


def last_lines(*results: Results):
    out = io.StringIO()
    outcomes = [Outcome(Tier(f"t{n}", "", "true"), each, 1.0) for n, each in enumerate(results)]
    status = report(outcomes, 1.0, 60, "somewhere", out)
    return status, out.getvalue().splitlines()[-2:]


def test_sums_and_exit_status():
    assert last_lines(Results(passed=3), Results(passed=1, skipped=2)) == (
        0,
        ["logs: somewhere", "4 passed, 0 failed, 2 skipped"],
    )
    assert last_lines(Results(passed=3), Results(passed=1, failures=["x"])) == (
        1,
        ["logs: somewhere", "4 passed, 1 failed, 0 skipped"],
    )


def test_a_run_without_a_test_fails():
    assert last_lines(Results(skipped=1))[0] == 1
    assert last_lines()[0] == 1


def test_over_budget_is_named():
    out = io.StringIO()
    report([Outcome(Tier("slow", "", "true", budget=1), Results(passed=1), 9.0)], 9.0, 5, "l", out)
    slow, whole = (line for line in out.getvalue().splitlines() if " 9.0 " in line)
    assert slow.endswith("over") and "over" in whole


def test_the_work_of_a_tier_is_counted_on_whatever_machine(tmp_path):
    busy = Tier("busy", "", "python3 -c 'sum(range(10**6))'; sleep 1")
    outcome, *_ = Runner(tmp_path, "check", 7, 1, lambda _: None).run([busy])
    assert 0 < outcome.cpu_seconds < outcome.seconds


def test_the_table_is_sound():
    names = [tier.name for tier in table.TIERS]
    assert len(names) == len(set(names))
    for tier in table.TIERS:
        assert tier.results in ("junit", "tap", "status"), tier.name
        assert tier.level in table.LEVELS, tier.name
        for need in tier.needs:
            needed = table.TIERS[names.index(need)]
            assert table.LEVELS.index(needed.level) <= table.LEVELS.index(tier.level), f"{tier.name} needs {need}"


def test_a_named_tier_brings_what_it_needs():
    assert [tier.name for tier in table.choose("check", ["unit"])] == ["host", "unit"]


def test_a_tier_can_be_added_to_a_level():
    names = [tier.name for tier in table.choose("check", [], ["fresh"])]
    assert set(names) == {tier.name for tier in table.choose("check", [])} | {"fresh"}


def test_an_unknown_tier_names_the_known_ones():
    ran = subprocess.run([CHECK, "check", "nonsense"], capture_output=True, text=True)
    assert ran.returncode == 2
    assert 'tier "nonsense": unknown; known are kernel-debug' in ran.stdout


def test_an_unknown_level_is_refused():
    assert subprocess.run([CHECK, "quick"], capture_output=True).returncode == 2


# At any time, and at the worst: the tier runs, and its start has not returned.
AT_ONCE = """
start = subprocess.Popen
def started(*arguments, **others):
    process = start(*arguments, **others)
    while not pid.exists() or not pid.read_text().strip(): pass
    os.kill(os.getpid(), {number})
    return process
subprocess.Popen = started
"""


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("number", [15, 2])
def test_ended_from_outside_it_leaves_nothing(tmp_path, number, at_once):
    program = (
        "import os, signal, subprocess, sys\n"
        f"sys.path.insert(0, {str(CHECK.parent)!r})\n"
        "from pathlib import Path\n"
        "from checks.runner import Runner\n"
        "from checks.tiers import Tier\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        # A shell's background job ignores it, and so would this.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"pid = Path({str(tmp_path)!r}) / 'pid'\n"
        f"{AT_ONCE.format(number=number) if at_once else ''}"
        f"Runner(Path({str(tmp_path)!r}), 'check', 1, 2).run([Tier('t', '', 'echo $$ >pid; sleep 1000')])\n"
    )
    runner = subprocess.Popen(["/usr/bin/python3", "-c", program], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    pid = tmp_path / "pid"
    assert wait_until(lambda: pid.exists() and pid.read_text().strip())
    if not at_once:
        os.kill(runner.pid, number)
    assert runner.wait(60) != 0
    assert wait_until(lambda: not alive(int(pid.read_text())))
