# SPDX-License-Identifier: GPL-2.0-only
"""The lab for tests: where it is, and how a run of it ended."""

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RUN = CHECKOUT / "selftests/lab/run"


@dataclass(frozen=True)
class Result:
    """How a run of the lab ended."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float
    out: Path  # the directory that inside and outside share

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")

    def __str__(self) -> str:
        """For a failed assertion: what a person would want to see."""
        return f"status {self.status}\n-- stdout\n{self.text[-4000:]}\n-- stderr\n{self.stderr[-8000:]}"
