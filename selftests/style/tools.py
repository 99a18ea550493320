# SPDX-License-Identifier: GPL-2.0-only
"""Rules that other programs know. A file that passed is remembered by its content, outside the checkout."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .tree import Tree

HERE = Path(__file__).resolve().parent
CACHE = (
    Path(os.environ.get("VIREO_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vireo")
    / "style"
)
PASSED = CACHE / "passed"
KERNEL_SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
PATIENCE = 600  # seconds for one run of a tool


class Missing(Exception):
    """A tool is not here: the reason for which a rule is skipped."""


def tool(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is not installed; make setup installs it")
    return path


def run(*command: str | Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stdout


@functools.lru_cache(maxsize=None)
def digest_of(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def with_headers(tree: Tree, name: str) -> list[str]:
    """A source and all tracked headers that it may see. A name that fits several headers means all of them."""
    found, queue = [name], [name]
    while queue:
        for include in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)', tree.text(queue.pop()) or "", re.MULTILINE):
            last = f"/{Path(include).name}"
            for header in tree.files:
                if f"/{header}".endswith(last) and header not in found:
                    found.append(header)
                    queue.append(header)
    return sorted(found)


def each(
    tree: Tree, rule: str, names: list[str], salt: str, judge: Callable[[str], str], headers: bool = False
) -> Iterator[str]:
    """Runs judge() on each file that has not passed before; what it returns is wrong with the file, or empty.

    A verdict depends on the file, on the headers that it sees if so told, and on salt."""

    def verdict(name: str) -> str:
        content = digest_of(*(tree.top / each for each in (with_headers(tree, name) if headers else [name])))
        key = hashlib.sha256(f"{rule}\0{name}\0{salt}\0{content}".encode()).hexdigest()
        passed = PASSED / rule / key
        if passed.exists():
            return ""
        problem = judge(name).strip()
        if not problem:
            passed.parent.mkdir(parents=True, exist_ok=True)
            passed.touch()
        return problem

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for problem in pool.map(verdict, names):
            if problem:
                yield from problem.splitlines()


def clang_format(tree: Tree) -> Iterator[str]:
    """C++ and the C of userspace are formatted as .clang-format says"""
    program = tool("clang-format-19")

    def judge(name: str) -> str:
        _, output = run(program, "--dry-run", "--Werror", "--ferror-limit=3", name, cwd=tree.top)
        return "\n".join(line for line in output.splitlines() if ": error:" in line)

    yield from each(tree, "clang-format", tree.user_c(), digest_of(tree.top / ".clang-format"), judge)


def checkpatch_dir() -> Path:
    """Checkpatch and its word lists, out of the packaged kernel source, once; and taught the engine's words."""
    if not KERNEL_SOURCE.exists():
        raise Missing(f"{KERNEL_SOURCE} is missing; make setup installs it")
    stat = KERNEL_SOURCE.stat()
    home = CACHE / f"checkpatch-vireo-{stat.st_size}-{int(stat.st_mtime)}"
    if not home.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = {"checkpatch.pl", "spelling.txt", "const_structs.checkpatch"}
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch, tarfile.open(KERNEL_SOURCE) as source:
            for member in source:
                path = Path(member.name)
                if path.parent.name == "scripts" and path.name in wanted:
                    data = source.extractfile(member).read()
                    if path.name == "checkpatch.pl":
                        data = data.replace(b"__user|", b"__user|__vq_mem|", 1)
                        data = data.replace(b"(?:EXPORT_SYMBOL|", b"(?:VQ_EXPORT|EXPORT_SYMBOL|")
                    (Path(scratch) / path.name).write_bytes(data)
                    wanted.remove(path.name)
                    if not wanted:
                        break
            os.chmod(scratch, 0o755)
            try:
                os.rename(scratch, home)
            except OSError:
                if not home.exists():  # another run may have been faster
                    raise
            Path(scratch).mkdir(exist_ok=True)
    return home


def checkpatch(tree: Tree) -> Iterator[str]:
    """C that the kernel compiles is in the kernel's style"""
    names = tree.kernel_c()
    if not names:
        return
    script = checkpatch_dir() / "checkpatch.pl"
    conf = HERE / "checkpatch.conf"
    options: list[str] = []
    ignored: dict[str, list[str]] = {}  # by file; "*" for all
    for line in conf.read_text().splitlines():
        words = line.split("#", 1)[0].split()
        if words and words[0].startswith("--"):
            options.append(words[0])
        elif words:
            ignored.setdefault(words[0], []).append(words[1])

    def judge(name: str) -> str:
        not_asked = ",".join(ignored.get("*", []) + ignored.get(name, []))
        status, output = run(
            tool("perl"), script, "--no-tree", "--no-summary", "--terse", "--show-types", *options,
            f"--ignore={not_asked}", "-f", name, cwd=tree.top,
        )  # fmt: skip
        return output if status else ""

    yield from each(tree, "checkpatch", names, digest_of(script, conf), judge)


def shellcheck(tree: Tree) -> Iterator[str]:
    """Shell scripts are free of what shellcheck knows"""
    program = tool("shellcheck")

    def judge(name: str) -> str:
        first = tree.text(name).split("\n", 1)[0]
        # This shellcheck does not know busybox's shell by name; dash is its nearest relation.
        dialect = ["--shell=dash"] if "busybox" in first else []
        return run(program, "--format=gcc", "--external-sources", *dialect, name, cwd=tree.top)[1]

    yield from each(tree, "shellcheck", tree.shell(), run(program, "--version", cwd=tree.top)[1], judge)


def pyflakes(tree: Tree) -> Iterator[str]:
    """Python compiles, and names nothing that is not there or not used"""
    program = tool("pyflakes3")
    names = tree.python()
    if names:
        yield from run(program, *names, cwd=tree.top)[1].splitlines()
    for name in names:
        for number, line in tree.lines(name):
            if len(line) > 120:
                yield f"{name}:{number}: {len(line)} columns, more than 120"


def spelling(tree: Tree) -> Iterator[str]:
    """Words are spelled as codespell knows them"""
    program = tool("codespell")
    names = [name for name in tree.texts() if name != "COPYING"]
    yield from run(program, "--ignore-words", HERE / "words", *names, cwd=tree.top)[1].splitlines()


def clang_tidy(tree: Tree) -> Iterator[str]:
    """C++ around the engine is free of what clang-tidy knows"""
    yield from _tidy(tree, vmm=False)


def clang_tidy_vmm(tree: Tree) -> Iterator[str]:
    """The VMM's C++ is free of what clang-tidy knows"""
    yield from _tidy(tree, vmm=True)


VMM = ("userspace/", "selftests/unit/vmm/", "selftests/fuzz/fuzz_")
ENGINES_OWN = ("selftests/fuzz/fuzz_queue.cc",)


def _tidy(tree: Tree, vmm: bool) -> Iterator[str]:
    names = [
        name
        for name in tree.user_c()
        if name.endswith(".cc") and vmm == (name.startswith(VMM) and name not in ENGINES_OWN)
    ]
    if not names:
        return
    program = tool("clang-tidy-19")
    database = tree.top / "build" / "host" / "compile_commands.json"
    if not database.exists():
        raise Missing(f"{database} is missing; make vmm writes it")
    compiled = {entry["file"] for entry in json.loads(database.read_text())}
    version = run(program, "--version", cwd=tree.top)[1]

    def judge(name: str) -> str:
        _, output = run(
            program, "--quiet", "-p", database.parent, "--extra-arg=-Wno-unknown-warning-option", name, cwd=tree.top
        )
        lines = [line.replace(f"{tree.top}/", "") for line in output.splitlines()]
        # What it finds in other people's headers is not ours to mend.
        return "\n".join(line for line in lines if re.search(r"^[^/].*: (error|warning):", line))

    names = [name for name in names if str(tree.top / name) in compiled]
    asked: dict[tuple[Path, ...], list[str]] = {}  # files by what they are asked: the settings above them
    for name in names:
        settings = (tree.top / folder / ".clang-tidy" for folder in Path(name).parents)
        asked.setdefault(tuple(path for path in settings if path.exists()), []).append(name)
    for settings, group in asked.items():
        yield from each(tree, "clang-tidy", group, digest_of(*settings) + version, judge, headers=True)


RULES = (clang_format, checkpatch, shellcheck, pyflakes, spelling, clang_tidy, clang_tidy_vmm)
