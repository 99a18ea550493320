# SPDX-License-Identifier: GPL-2.0-only
"""The module that makes trouble on demand, built for a kernel when a test asks for it."""

import os
import shutil
import subprocess

import pytest

from runlab import CHECKOUT

SOURCE = CHECKOUT / "selftests/lab/testmod"


@pytest.fixture(scope="session")
def trouble_module(kernel_path, tmp_path_factory):
    """trouble_module("6.1") is the path of lab_trouble.ko for that kernel."""
    built = {}

    def build(alias):
        if alias not in built:
            directory = tmp_path_factory.mktemp("testmod") / alias
            shutil.copytree(SOURCE, directory)
            # A jobserver of the caller's make is not ours to use.
            env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
            done = subprocess.run(["make", "-s", "-C", kernel_path(alias, "build"),
                                   f"M={directory}", "modules"], env=env, text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
            built[alias] = directory / "lab_trouble.ko"
        return built[alias]

    return build
