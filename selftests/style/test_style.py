# SPDX-License-Identifier: GPL-2.0-only
"""Each rule is shown a small checkout with a fault that it must name, and one without."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from style import text, tools  # noqa: E402
from style.tree import Tree  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
HASH = "# SPDX-License-Identifier: GPL-2.0-only\n"
SLASHES = "// SPDX-License-Identifier: GPL-2.0-only\n"
MARKDOWN = "<!-- SPDX-License-Identifier: GPL-2.0-only -->\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing that was found good elsewhere counts here."""
    monkeypatch.setattr(tools, "PASSED", tmp_path / "passed")


def checkout(tmp_path: Path, **files: str) -> Tree:
    top = tmp_path / "checkout"
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name in (".clang-format", ".clang-tidy"):
        (top / name).write_text((TOP / name).read_text())
    subprocess.run(["git", "init", "-q", top], check=True)
    subprocess.run(["git", "-C", top, "add", "."], check=True)
    return Tree(top)


FAULTS = {
    "licence": (text.licence, "a.py", "import sys\n", HASH),
    "licence in the third line": (text.licence, "a.py", "#!/x\n\n" + HASH, "#!/x\n" + HASH),
    "blanks": (text.whitespace, "a.py", "x \n", "x\n"),
    "carriage return": (text.whitespace, "a.py", "x\r\ny\n", "x\ny\n"),
    "no last newline": (text.whitespace, "a.py", "x", "x\n"),
    "long": (text.size, "a.c", "int x;\n" * 701, "int x;\n" * 700),
    "version": (text.kernel_versions, "kernel/a.c", "#if LINUX_VERSION_CODE > 1\n", "#if 1\n"),
    "engine": (text.engine, "kernel/vq/a.c", "#ifdef __KERNEL__\n", "#ifdef OTHER\n"),
    "link": (text.links, "a.md", "[x](b.md)\n", "[x](a.md)\n"),
    "anchor": (text.links, "a.md", "# One two\n[x](#one-three)\n", "# One two\n[x](#one-two)\n"),
    "path in a text": (text.links, "room/a.md", "see `room/b.c`\n", "see `room/a.md`\n"),
    "home": (text.machine, "a.py", f"cd {Path.home()}/x\n", "cd ~/x\n"),
    "format": (tools.clang_format, "userspace/a.cc", "int  x;\n", "int x;\n"),
    "checkpatch": (
        tools.checkpatch,
        "kernel/a.c",
        SLASHES + "int f(void)\n{\n  return 0;\n}\n",
        SLASHES + "int f(void)\n{\n\treturn 0;\n}\n",
    ),
    "shell": (tools.shellcheck, "a.sh", "#!/bin/sh\nrm $1\n", '#!/bin/sh\nrm "$1"\n'),
    "shell without suffix": (tools.shellcheck, "a", "#!/bin/bash\nrm $1\n", '#!/bin/bash\nrm "$1"\n'),
    "busybox": (tools.shellcheck, "a", "#!/bin/busybox sh\nrm $1\n", '#!/bin/busybox sh\nrm "$1"\n'),
    "python name": (tools.pyflakes, "a.py", "nothing_of_that_name()\n", "print()\n"),
    "python syntax": (tools.pyflakes, "a", "#!/usr/bin/python3\ndef\n", "#!/usr/bin/python3\n"),
    "python columns": (tools.pyflakes, "a.py", "#" * 121 + "\n", "#" * 120 + "\n"),
    "spelling": (tools.spelling, "a.md", "rec" + "ieve\n", "receive\n"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_its_absence_is_not(tmp_path, name):
    rule, file, bad, good = FAULTS[name]
    try:
        found = list(rule(checkout(tmp_path / "bad", **{file: bad})))
        assert found and found[0].startswith((file, "./" + file)), found
        assert list(rule(checkout(tmp_path / "good", **{file: good}))) == []
    except tools.Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize(
    ("name", "rule"), [("selftests/unit/a.cc", tools.clang_tidy), ("userspace/a.cc", tools.clang_tidy_vmm)]
)
def test_clang_tidy_names_a_fault(tmp_path, name, rule):
    tree = checkout(tmp_path, **{name: "int* f() { return 0; }\n"})
    build = tree.top / "build" / "host"
    build.mkdir(parents=True)
    source = tree.top / name
    (build / "compile_commands.json").write_text(
        f'[{{"directory": "{build}", "file": "{source}", "command": "g++ -std=c++23 -c {source}"}}]'
    )
    found = list(rule(tree))
    assert any("modernize-use-nullptr" in problem for problem in found)


def test_what_passed_is_not_asked_again_until_it_changes(tmp_path):
    tree = checkout(tmp_path, **{"a.c": "x", "b.c": "y"})
    asked = []

    def judge(name):
        asked.append(name)
        return f"{name}: bad" if name == "b.c" else ""

    for _ in range(2):
        assert list(tools.each(tree, "rule", ["a.c", "b.c"], "salt", judge)) == ["b.c: bad"]
    assert sorted(asked) == ["a.c", "b.c", "b.c"]
    list(tools.each(tree, "rule", ["a.c"], "another salt", judge))
    assert asked[-1] == "a.c"


def test_a_header_that_changed_asks_again(tmp_path):
    files = {"a.cc": '#include "b.h"\n', "b.h": "#include <x/c.h>\n", "y/x/c.h": "", "other.h": ""}
    tree = checkout(tmp_path, **files)
    assert tools.with_headers(tree, "a.cc") == ["a.cc", "b.h", "y/x/c.h"]
    asked = []
    for content in ("", "int x;\n"):
        (tree.top / "y/x/c.h").write_text(content)
        tools.digest_of.cache_clear()
        list(tools.each(tree, "rule", ["a.cc"], "", lambda name: asked.append(name) or "", headers=True))
    assert asked == ["a.cc", "a.cc"]


def test_package_hosts_are_taken_from_the_machine(tmp_path):
    sources = tmp_path / "sources.list"
    sources.write_text("deb http://mirror.example/debian stable main\nURIs: https://other.example\n")
    words = text.machine_words(Path("/a/b"), Path("/home/me"), [sources])
    assert words == ["/a/", "/home/me/", "mirror.example", "other.example"]


def test_fuzz_inputs_and_images_are_not_text(tmp_path):
    tree = checkout(tmp_path, **{"selftests/fuzz/corpus/1": "x \n", "image.png": "\0"})
    assert list(text.whitespace(tree)) == []


def test_a_rule_of_another_name_is_refused():
    done = subprocess.run([TOP / "selftests/style/run", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and 'rule "nonsense": unknown; known are licence' in done.stderr
