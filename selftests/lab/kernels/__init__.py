# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that the lab boots and modules are built for: fetched or built once, then kept in the cache."""
