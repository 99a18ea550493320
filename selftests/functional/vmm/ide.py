# SPDX-License-Identifier: GPL-2.0-only
"""The drives of the guest that has IDE, and what is done with them.

Known to both sides: the program in the lab that boots the guest, and the tests that judge.
"""

MODES = ("dma", "pio")
MIB = 1 << 20

# The controller's four places, in order.
MAIN, FAULTY, CD, LARGE = "main", "faulty", "cd", "large"

MAIN_SIZE = 32 * MIB
# Of MAIN, by fio, from its beginning. KVM hands over each word of `rep outs` on its own: by words, little is written.
VERIFIED = {"dma": 4 * MIB, "pio": MIB // 4}
KEPT = 16 * MIB  # behind this only what is compared is written
COMPARED = MIB
LOADED = MIB  # of MAIN, in the background
WRITTEN = MIB // 16

FAULTY_SIZE = 8 * MIB
BAD_SECTOR, BAD_SECTORS = 4096, 8
CD_SIZE = 3 * MIB
READ = {"dma": CD_SIZE, "pio": MIB}  # of CD

LARGE_SIZE = 200 << 30
LAST_OF_28_BITS = (1 << 28) * 512  # bytes that 28 bits of sector number can reach
