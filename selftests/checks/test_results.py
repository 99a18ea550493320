# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what is read from the tiers' outputs: nothing that went wrong may read as passed."""

from pathlib import Path

import pytest
from checks.results import judge, read_junit, read_tap


def counts(results):
    return results.passed, results.failed, results.skipped


def junit(tmp_path: Path, body: str, name: str = "a.xml") -> Path:
    path = tmp_path / name
    path.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")
    return path


def test_junit_counts_each_kind(tmp_path):
    path = junit(
        tmp_path,
        """<testcase classname="a" name="good"/>
        <testcase classname="a" name="bad"><failure message="left 1, right 2&#10;more"/></testcase>
        <testcase classname="a" name="broken"><error message="fixture"/></testcase>
        <testcase classname="a" name="not"><skipped message="no KVM"/></testcase>
        <testcase classname="a" name="gtest_disabled" status="notrun"/>""",
    )
    results = read_junit(path)
    assert counts(results) == (1, 2, 2)
    assert results.failures[0] == "a.bad: left 1, right 2"
    assert results.skips[0] == "a.not: no KVM"


def test_junit_cut_short_is_a_failure(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<testsuites><testsuite><testcase name='x'/>")
    assert counts(read_junit(path)) == (0, 1, 0)


def test_tap_counts_each_kind():
    results = read_tap("TAP version 13\n1..3\nok 1 - one\nnot ok 2 - two\n# why\nok 3 three # SKIP no tap device\n")
    assert counts(results) == (1, 1, 1)
    assert results.failures == ["two"]
    assert results.skips == ["three: no tap device"]


def test_tap_missing_results_are_a_failure():
    assert counts(read_tap("1..3\nok 1\nok 2\n")) == (2, 1, 0)


def test_tap_more_results_than_announced_are_a_failure():
    assert counts(read_tap("1..1\nok 1\nok 2\n")) == (2, 1, 0)


def test_tap_plan_may_come_last():
    assert counts(read_tap("ok 1\nok 2\n1..2\n")) == (2, 0, 0)
    assert counts(read_tap("ok 1\nok 2\n1..3\n")) == (2, 1, 0)


def test_tap_bail_out_is_a_failure():
    assert counts(read_tap("1..1\nok 1\nBail out! no memory\n")) == (1, 1, 0)


def test_tap_whole_skip():
    assert counts(read_tap("TAP version 13\n1..0 # SKIP needs root\n")) == (0, 0, 1)


KTAP = """KTAP version 1
1..2
    KTAP version 1
    # Subtest: split
    1..2
    ok 1 pop
    {verdict} 2 push
{split} 1 split
    KTAP version 1
    # Subtest: packed
    1..1
        KTAP version 1
        # Subtest: wraps
        ok 1 sizes=1
        ok 2 sizes=2
    ok 1 wraps
ok 2 packed
"""


def test_ktap_counts_the_innermost_results():
    assert counts(read_tap(KTAP.format(verdict="ok", split="ok"))) == (4, 0, 0)
    assert counts(read_tap(KTAP.format(verdict="not ok", split="not ok"))) == (3, 1, 0)


def test_ktap_suite_that_fails_by_itself_counts():
    assert counts(read_tap(KTAP.format(verdict="ok", split="not ok"))) == (4, 1, 0)


def test_ktap_subtest_without_its_results_is_a_failure():
    text = KTAP.format(verdict="ok", split="ok").replace("    ok 2 push\n", "")
    assert read_tap(text).failed == 1


def test_ktap_with_console_timestamps():
    text = "".join(f"[   12.345678] {line}\n" for line in KTAP.format(verdict="ok", split="ok").splitlines())
    assert counts(read_tap(text)) == (4, 0, 0)


@pytest.mark.parametrize("kind", ["junit", "tap", "status"])
def test_silence_is_a_failure_whatever_the_kind(tmp_path, kind):
    assert judge(kind, "t", tmp_path, "", 3).failed == 1


@pytest.mark.parametrize("kind", ["junit", "tap"])
def test_no_tests_with_a_good_status_is_a_failure(tmp_path, kind):
    results = judge(kind, "t", tmp_path, "all is well\n", 0)
    assert results.failures == ["t: ran no test"]


def test_good_tests_with_a_bad_status_are_a_failure(tmp_path):
    junit(tmp_path, '<testcase name="a"/>')
    assert counts(judge("junit", "t", tmp_path, "", 1)) == (1, 1, 0)


def test_a_signal_is_a_failure_beside_what_passed(tmp_path):
    junit(tmp_path, '<testcase name="a"/>')
    results = judge("junit", "t", tmp_path, "", -11)
    assert counts(results) == (1, 1, 0)
    assert "signal 11" in results.failures[0]


def test_junit_files_add_up(tmp_path):
    junit(tmp_path, '<testcase name="a"/><testcase name="b"/>', "1.xml")
    junit(tmp_path, '<testcase name="c"><failure/></testcase>', "2.xml")
    assert counts(judge("junit", "t", tmp_path, "", 1)) == (2, 1, 0)


def test_a_skip_gives_its_reason(tmp_path):
    results = judge("status", "t", tmp_path, "SKIP: no sparse on this machine\n", 0)
    assert counts(results) == (0, 0, 1)
    assert results.skips == ["t: no sparse on this machine"]


def test_a_skip_does_not_hide_a_bad_status(tmp_path):
    assert judge("status", "t", tmp_path, "SKIP: no reason\n", 1).failed == 1
