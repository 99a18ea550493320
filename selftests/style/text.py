# SPDX-License-Identifier: GPL-2.0-only
"""Rules that need nothing but the text. Each yields "file:line: what is wrong"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .tree import Tree

SPDX = "SPDX-License-Identifier: GPL-2.0-only"
# No comment is possible there, or it is the licence itself.
NO_COMMENT = (".json", ".csv")
MOST_LINES = 700


def licence(tree: Tree) -> Iterator[str]:
    """The first or second line of every file that can hold a comment names the licence"""
    for name in tree.texts():
        if name == "COPYING" or name.endswith(NO_COMMENT):
            continue
        if SPDX not in "\n".join(tree.text(name).split("\n", 2)[:2]):
            yield f'{name}:1: add "{SPDX}"'


def whitespace(tree: Tree) -> Iterator[str]:
    """No blanks at the end of a line, no carriage returns, one newline at the end of a file"""
    for name in tree.texts():
        if name == "COPYING":
            continue
        text = tree.text(name)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: blanks at the end of the line"
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield f"{name}: must end with one newline"


def size(tree: Tree) -> Iterator[str]:
    """Sources can be read in one sitting"""
    for name in tree.texts():
        if name in tree.kernel_c() + tree.user_c() + tree.python() + tree.shell():
            count = len(tree.lines(name))
            if count > MOST_LINES:
                yield f"{name}: {count} lines, more than {MOST_LINES}: does it still have one subject?"


def kernel_versions(tree: Tree) -> Iterator[str]:
    """Only kernel/compat/ asks which kernel it is"""
    for name in tree.kernel_c():
        if name.startswith("kernel/compat/"):
            continue
        for number, line in tree.lines(name):
            if re.search(r"\bLINUX_VERSION_CODE\b|\bKERNEL_VERSION\s*\(", line):
                yield f"{name}:{number}: a test for the kernel's version belongs into kernel/compat/"


def engine(tree: Tree) -> Iterator[str]:
    """The engine knows its environment by vq_env.h alone"""
    for name in tree.kernel_c():
        if not name.startswith(("kernel/vq/", "include/vq/")):
            continue
        for number, line in tree.lines(name):
            if "__KERNEL__" in line:
                yield f"{name}:{number}: what differs between kernel and userspace belongs into vq_env.h"


def anchors(text: str) -> set[str]:
    """The names under which a markdown file's headings can be linked to."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-"))
    return found


def links(tree: Tree) -> Iterator[str]:
    """Links between documents lead somewhere, and paths that documents name exist"""
    rooms = {name.split("/", 1)[0] for name in tree.files if "/" in name}
    known = set(tree.files) | {str(parent) for name in tree.files for parent in Path(name).parents}
    for name in tree.files:
        if not name.endswith(".md"):
            continue
        in_block = False
        for number, line in tree.lines(name):
            if line.lstrip().startswith("```"):
                in_block = not in_block
            if in_block:
                continue
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = (tree.top / name).parent / path if path else tree.top / name
                if not file.exists():
                    yield f"{name}:{number}: {target}: there is no such file"
                elif anchor and anchor not in anchors(file.read_text()):
                    yield f"{name}:{number}: {target}: there is no such heading"
            for path in re.findall(r"`([\w./-]+/[\w./-]*)`", line):
                if path.split("/", 1)[0] in rooms and path.rstrip("/") not in known:
                    yield f"{name}:{number}: {path}: there is no such file"


def machine_words(top: Path, home: Path, sources: list[Path]) -> list[str]:
    """What only this machine knows: where the checkout and its user live, and where packages come from."""
    words = [f"{path}/" for path in (top.parent, home) if path not in (Path("/"), Path("/tmp"), Path("/home"))]
    for file in sources:
        for host in re.findall(r"https?://([^/\s]+)", file.read_text(errors="replace")):
            if host not in words:
                words.append(host)
    return words


def apt_sources() -> list[Path]:
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *(folder.iterdir() if folder.is_dir() else ())]
    return [file for file in files if file.is_file()]


def machine(tree: Tree) -> Iterator[str]:
    """No path of the machine it was written on, and no package host"""
    words = machine_words(tree.top, Path.home(), apt_sources())
    for name in tree.texts():
        for number, line in tree.lines(name):
            for word in words:
                if word in line:
                    yield f"{name}:{number}: {word}: a name that only this machine knows"


RULES = (licence, whitespace, size, kernel_versions, engine, links, machine)
