# SPDX-License-Identifier: GPL-2.0-only
"""A command in the lab: its surroundings, its streams and its status, on both stock kernels.

One boot per kernel finds all of it out (inside.sh); the tests look at what it found.
"""

import hashlib
from pathlib import Path

import pytest

from runlab import CHECKOUT

LINES = {"6.1": 2500000, "6.12": 100000}  # 19 MB, and what costs little


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def alias(request):
    return request.param


@pytest.fixture(scope="module")
def result(lab, alias):
    return lab("selftests/functional/lab/inside.sh", "one", "two words", "", kernel=alias,
               options=("--env", "LAB_TEST_GIVEN=a value",
                        "--env", f"LAB_TEST_LINES={LINES[alias]}"),
               env={"VIREO_TEST_SEED": "7", "LAB_TEST_NOT_GIVEN": "leaked"})


@pytest.fixture(scope="module")
def facts(result):
    path = result.out / "facts"
    assert path.exists(), str(result)
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_the_status_is_the_commands_own(result):
    assert result.status == 37, str(result)


def test_the_console_log_is_complete(result):
    """Its last line is the mark without which the host would wait for more."""
    assert (result.out / "console.log").read_text().endswith("vireo-lab: end of command\n")


def test_stderr_is_apart_from_stdout(result):
    assert result.stderr == "reopened stderr\nlast of stderr\n"


def test_no_byte_of_a_big_output_is_lost(result, alias):
    expected = hashlib.sha256(b"reopened stdout\n")
    for i in range(1, LINES[alias] + 1):
        expected.update(b"%d\n" % i)
    assert hashlib.sha256(result.stdout).hexdigest() == expected.hexdigest(), len(result.stdout)


def test_the_kernel_is_the_one_asked_for(facts, alias, kernel_path):
    assert facts["kernel"] == str(kernel_path(alias, "release"))
    assert facts["alias"] == alias


def test_it_is_root_in_the_checkout(facts, alias):
    assert facts["user"] == "0"
    assert facts["cwd"] == str(CHECKOUT)
    assert facts["lab"] == "1"
    assert facts["modules"] == str(CHECKOUT / "build" / alias)


def test_arguments_arrive_as_they_are(facts):
    assert facts["arguments"] == "3 one|two words|"


def test_the_environment_is_the_labs_not_the_callers(facts):
    assert facts["given"] == "a value"
    assert facts["seed"] == "7"
    assert facts["not_given"] == "nothing"


def test_stdin_is_empty_unless_asked_for(facts):
    assert facts["stdin"] == "0"
    assert facts["tty"] == "not a tty"


def test_what_it_writes_does_not_last(facts):
    assert (facts["write_checkout"], facts["write_etc"]) == ("ok", "ok")
    assert not (CHECKOUT / "lab-test-must-not-last").exists()
    assert not Path("/etc/lab-test-must-not-last").exists()


def test_the_out_directory_is_shared(facts, result):
    assert facts["write_out"] == "ok"
    assert (result.out / "shared").read_text() == "shared\n"
    assert (result.out / "mapped").read_bytes()[:6] == b"mapped"


def test_the_machines_files_are_all_there(facts):
    assert facts["listed"] == facts["statted"]
    assert int(facts["listed"]) > 10
    assert "fatal" not in facts["git"]


def test_the_machines_tools_work(facts):
    assert facts["python"] == "ok"
    assert facts["compiled"] == "42"


def test_the_booted_kernels_modules_load(facts):
    assert facts["modprobe"] == ""
    assert facts["kvm"] == "ok"
    assert facts["tun"] == "ok"


@pytest.mark.parametrize("what", ["debugfs", "cgroup", "fifo", "socket", "loopback", "mmap", "pty"])
def test_the_system_has(facts, what):
    assert facts.get(what) == "ok"
