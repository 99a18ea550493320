# SPDX-License-Identifier: GPL-2.0-only
"""What all functional tests share: the lab, as a function.

Tests marked `full` run in `make check-full` (VIREO_CHECK=full), or with `pytest -m full`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

# Its assertions tell what they found, as those in a test do.
pytest.register_assert_rewrite("seen")

from runlab import CHECKOUT, RUN, Result  # noqa: E402

sys.path.insert(0, str(CHECKOUT / "selftests/lab"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: only in make check-full")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("VIREO_CHECK") == "full" or config.option.markexpr:
        return
    costly = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=costly)
    items[:] = [item for item in items if item not in costly]


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """lab("cmd", "arg", kernel="6.1", options=[...]) runs a command in the lab."""

    def run(*command: str, kernel: str = "6.1", options: tuple[str, ...] = (),
            env: dict[str, str] | None = None, stdin: bytes | None = None) -> Result:
        out = tmp_path_factory.mktemp("lab")
        started = time.monotonic()
        done = subprocess.run(
            [RUN, "--kernel", kernel, "--out", out, *options, "--", *command],
            input=stdin or b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})}, check=False)
        return Result(done.returncode, done.stdout, done.stderr.decode(errors="replace"),
                      time.monotonic() - started, out)

    return run


@pytest.fixture(scope="session")
def kernel_path():
    """kernel_path("6.1", "build") is what selftests/lab/kernel prints."""

    def ask(alias: str, what: str) -> Path:
        done = subprocess.run([CHECKOUT / "selftests/lab/kernel", alias, what],
                              stdout=subprocess.PIPE, text=True, check=True)
        return Path(done.stdout.strip())

    return ask
