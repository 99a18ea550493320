# SPDX-License-Identifier: GPL-2.0-only
"""Where each CPU of a guest stands: the symbol of its instruction, and what is on its stack.

The guest runs without KASLR, so that its symbol table holds as it is.
"""

import re
import struct
import subprocess
from typing import Callable

from .monitor import Monitor, MonitorError
from .symbols import Symbols

_KERNEL = 0xFFFF800000000000
_MODULES = (0xFFFFFFFFA0000000, 0xFFFFFFFFFF000000)
_STACK_WORDS = 160
_FRAMES = 8


def describe(monitor: Monitor, load_symbols: Callable[[], Symbols]) -> list[str]:
    """One line per CPU, and indented below it the kernel functions found on its stack."""
    notes: list[str] = []
    try:
        monitor.command("stop")  # a running CPU's registers lag behind
    except MonitorError:
        pass  # QEMU itself may hang on a CPU: read what can be read
    try:
        text = monitor.human("info registers -a")
    except MonitorError as e:
        return [f"where its CPUs stand is not known: {e}"]
    try:
        symbols = load_symbols()
    except (OSError, ValueError, subprocess.SubprocessError) as e:
        symbols = Symbols()
        notes.append(f"the kernel's symbols are not known: {e}")
    lines: list[str] = []
    for block in re.split(r"^(?=CPU#)", text, flags=re.M):
        header = re.match(r"CPU#(\d+)", block)
        if header:
            lines += _describe_cpu(monitor, symbols, int(header.group(1)), block)
    return lines + notes


def _describe_cpu(monitor: Monitor, symbols: Symbols, cpu: int, block: str) -> list[str]:
    regs = {name: int(value, 16) for name, value in re.findall(r"\b(R[A-Z0-9]+|CPL|HLT|GS)\s*=\s*"
                                                               r"(?:0000 )?([0-9a-f]+)", block)}
    gs = re.search(r"^GS =[0-9a-f]+ ([0-9a-f]+)", block, re.M)
    rip, rsp = regs.get("RIP", 0), regs.get("RSP", 0)
    interrupts = "on" if regs.get("RFL", 0) & 0x200 else "off"
    state = f"CPU {cpu}: RIP {rip:#x}, interrupts {interrupts}"
    if regs.get("HLT"):
        state += ", halted"
    if regs.get("CPL") == 3:
        return [f"{state}, in user space"]
    if gs and _is_nested(monitor, symbols, cpu, int(gs.group(1), 16)):
        return [f"{state}, inside a nested guest's kernel "
                f"(same kernel: {symbols.name(rip) or 'no'})"]
    where = symbols.name(rip) or _module_of(monitor, symbols, cpu, rip) or "not in the kernel's text"
    return [f"{state}, {where}", *_stack(monitor, symbols, cpu, rsp)]


def _words(monitor: Monitor, cpu: int, command: str) -> list[int]:
    text = monitor.human(command, cpu)
    return [int(word, 16) for line in text.splitlines()
            for word in re.findall(r"0x([0-9a-f]{16})\b", line.partition(":")[2])]


def _is_nested(monitor: Monitor, symbols: Symbols, cpu: int, gs: int) -> bool:
    """In kernel mode GS is the CPU's per-CPU area, and this kernel's is known."""
    table = symbols.address.get("__per_cpu_offset")
    if table is None or gs < _KERNEL:
        return False
    try:
        # By physical address: a nested guest has another kernel at the same virtual one.
        physical = table - 0xFFFFFFFF80000000 + 8 * cpu
        return _words(monitor, cpu, f"xp /1gx {physical:#x}") != [gs]
    except MonitorError:
        return False


def _stack(monitor: Monitor, symbols: Symbols, cpu: int, rsp: int) -> list[str]:
    """Return addresses, and stale ones between them: a hint, as `?` entries in an oops are."""
    if rsp < _KERNEL:
        return []
    try:
        words = _words(monitor, cpu, f"x /{_STACK_WORDS}gx {rsp:#x}")
    except MonitorError:
        return []
    names = [name for name in map(symbols.name, words) if name]
    return [f"    {name}" for name in names[:_FRAMES]]


def _module_of(monitor: Monitor, symbols: Symbols, cpu: int, rip: int) -> str | None:
    """The module around an address, found in the guest's list of modules.

    Where struct module keeps its name and list is the same in all versions; its base and
    size are not, so they are recognised: a page-aligned address in the modules' range with
    a length beside it that covers the instruction.
    """
    head = symbols.address.get("modules")
    if head is None or not _MODULES[0] <= rip < _MODULES[1]:
        return None
    try:
        entry = _words(monitor, cpu, f"x /1gx {head:#x}")[0]
        for _ in range(200):
            if entry == head:
                break
            words = _words(monitor, cpu, f"x /160gx {entry:#x}")
            name = struct.pack("<7Q", *words[2:9]).split(b"\0")[0].decode(errors="replace")
            for base, size in zip(words, words[1:]):
                if base % 4096 == 0 and _MODULES[0] <= base <= rip < base + (size & 0xFFFFFFFF):
                    return f"module {name}+{rip - base:#x}"
            entry = words[0]
    except (MonitorError, IndexError, struct.error):
        pass
    return "in a module"
