# SPDX-License-Identifier: GPL-2.0-only
"""How the driver of guests fails. A script on the guest's sockets plays a VMM that goes wrong; no guest is booted."""

import io
import threading
from pathlib import Path

import pytest

from guests.channel import Channel, Closed
from guests.errors import GuestError
from guests.nested import Guest, run


class Acted(Guest):
    """Its VMM is a shell script, which has the console, the agent's line and the monitor as $1, $2 and $3."""

    def __init__(self, script: str, log: Path) -> None:
        super().__init__(kernel=Path("none"), initrd=Path("none"), log=log)
        self.script = script

    def command(self, console: int, agent: int, monitor: int) -> list[str]:
        return ["bash", "-c", self.script, "vmm", str(console), str(agent), str(monitor)]


@pytest.fixture
def acted(tmp_path):
    guests = []

    def start(script: str) -> Acted:
        guest = Acted(script, tmp_path / "console.log")
        guest.start()
        guests.append(guest)
        return guest

    yield start
    for guest in guests:
        guest.stop()


SERVING = 'echo "@vireo serving" >&$2; '


def test_a_vmm_that_ends_is_told_with_its_status_and_the_console(acted):
    guest = acted("echo 'Kernel panic - not syncing: no root' >&$1; exit 3")
    with pytest.raises(GuestError, match=r"(?s)waiting for the guest to boot: .* status 3.*Kernel panic - not"):
        guest.wait_ready()


def test_what_the_vmm_itself_says_is_told(acted):
    guest = acted("echo 'Could not access KVM kernel module' >&2; exit 1")
    with pytest.raises(GuestError, match="Could not access KVM kernel module"):
        guest.wait_ready()


def test_a_guest_that_says_nothing_is_waited_for_no_longer_than_the_limit(acted):
    guest = acted("read -r _ <&$1")
    with pytest.raises(GuestError, match=r"(?s)waited 0 s for the guest to boot.*it said nothing"):
        guest.wait_ready(timeout=0.01)


def test_a_guest_that_ends_under_a_command(acted):
    guest = acted(SERVING + "read -r line <&$2; exit 9")
    guest.wait_ready()
    with pytest.raises(GuestError, match=r'waiting for the command "ls": the guest ended, its VMM with status 9'):
        guest.run("ls")


def test_an_answer_to_another_command_is_none(acted):
    reply = r"printf '@vireo begin 7\nwrong\n@vireo end 7 0\n@vireo begin 1\nright\n@vireo end 1 5\n' >&$2; "
    guest = acted(SERVING + "read -r line <&$2; " + reply + "read -r line <&$2")
    guest.wait_ready()
    assert guest.run("ls") == (5, "right")


def test_a_command_that_fails_is_told(acted):
    reply = r"printf '@vireo begin 1\nno such file\n@vireo end 1 2\n' >&$2; "
    guest = acted(SERVING + "read -r line <&$2; " + reply + "read -r line <&$2")
    guest.wait_ready()
    with pytest.raises(GuestError, match=r'"ls x" ended in the guest with status 2: no such file'):
        guest.check("ls x")


def test_a_guest_that_does_not_power_off(acted):
    guest = acted(SERVING + "read -r line <&$2; read -r _ <&$1")
    guest.wait_ready()
    with pytest.raises(GuestError, match="did not power off within 0 s"):
        guest.power_off(timeout=0.01)


MONITOR = """echo '{"QMP": {}}' >&$3; read -r line <&$3; echo '{"return": {}}' >&$3; read -r line <&$3; """


def test_the_monitor_answers_and_its_events_are_passed_over(acted):
    answer = """echo '{"event": "RESUME"}' >&$3; echo '{"return": {"enabled": true}}' >&$3; read -r _ <&$1"""
    guest = acted(MONITOR + answer)
    assert guest.monitor("query-kvm") == {"enabled": True}


def test_what_the_monitor_refuses_is_told(acted):
    answer = """echo '{"error": {"class": "X", "desc": "no such command"}}' >&$3; read -r _ <&$1"""
    guest = acted(MONITOR + answer)
    with pytest.raises(GuestError, match='QEMU refused "query-x": no such command'):
        guest.monitor("query-x")


def test_a_channel_waits_for_a_pattern_that_comes_in_pieces():
    arrived = threading.Semaphore(0)

    class Log(io.BytesIO):
        def flush(self) -> None:
            arrived.release()

    channel = Channel(Log())
    theirs = channel.theirs.dup()
    channel.start()
    for piece in (b"noise\n@vi", b"reo rea", b"dy\nrest"):
        theirs.sendall(piece)
        assert arrived.acquire(timeout=60)
    assert channel.expect(rb"^@vireo (\w+)\n", 60)[1] == b"ready"
    theirs.close()
    assert channel.expect(rb"rest", 60)[0] == b"rest"
    with pytest.raises(Closed):
        channel.expect(rb"more", 60)
    channel.close()


def test_a_tool_of_the_lab_that_fails_or_is_missing():
    with pytest.raises(GuestError, match=r"^sh -c 'echo told; exit 4' failed with status 4: told$"):
        run("sh", "-c", "echo told; exit 4")
    with pytest.raises(GuestError, match="no-such-tool is not here"):
        run("no-such-tool")
