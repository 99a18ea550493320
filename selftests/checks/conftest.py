# SPDX-License-Identifier: GPL-2.0-only
"""The runner's modules are a package below selftests/."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
