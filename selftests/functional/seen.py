# SPDX-License-Identifier: GPL-2.0-only
"""What a program in the lab has seen of guests, for the tests that judge it."""

import json
import subprocess

from runlab import CHECKOUT, Result


def guest_image(what: str, *alias: str) -> str:
    """A path, as selftests/lab/guest prints it."""
    command = [CHECKOUT / "selftests/lab/guest", what, *alias]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


class Seen:
    """The report of a run in the lab; whoever asks for what is not in it gets the whole story."""

    def __init__(self, result: Result) -> None:
        self.result = result
        path = result.out / "report.json"
        self._report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def __getitem__(self, what: str):
        failures = self._report.get("failures", {})
        assert what not in failures, f"{failures[what]}\n{self.result}"
        assert what in self._report, f'"{what}" was not reached: {self._report.get("failure", "")}\n{self.result}'
        return self._report[what]

    @property
    def failures(self) -> dict:
        return self._report.get("failures", {})


def expect_stream(found: dict) -> None:
    """All bytes came, and they were the right ones, at both ends."""
    assert found["first_bad"] == found["peer_first_bad"] == -1, found
    assert found["peer_received"] == found["sent"], found
    if "asked" in found:
        assert [found["sent"], found["received"]] == found["asked"], found


def expect_datagrams(found: dict, ordered: bool = True) -> None:
    """All came, once, and right, both ways; in order where that is promised: not over several queues, among which a tap
    chooses anew when it has learned on which one a flow answers."""
    for way in ("there", "back"):
        seen = dict(found[way])
        late = seen.pop("late")
        assert seen == {"received": found["sent"], "bad": 0, "again": 0, "gap_count": 0, "gaps": []}, found
        assert late == 0 or not ordered, found


def expect_ping(found: dict) -> None:
    for way in ("to guest", "to host"):
        assert " 0% packet loss" in found[way], found[way]
