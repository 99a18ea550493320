# SPDX-License-Identifier: GPL-2.0-only
"""Programs, the libraries that they reach, and stand-ins for libraries that a guest has no use for."""

import re
import subprocess
import tempfile
from pathlib import Path


def _readelf(what: str, file: Path) -> str:
    return subprocess.run(["readelf", "-W", what, str(file)], check=True, stdout=subprocess.PIPE, text=True).stdout


def needed(file: Path) -> list[str]:
    """The libraries that the file itself asks for."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _readelf("-d", file))


def loader(file: Path) -> str:
    """The path of the program's loader, without the leading slash; empty for a library or a static program."""
    match = re.search(r"Requesting program interpreter: /(.*)\]", _readelf("-l", file))
    return match[1] if match else ""


def _symbols(file: Path, defined: bool) -> set[tuple[str, str]]:
    """(name, version or "") of the symbols that the file defines, or must find elsewhere."""
    found = set()
    for line in _readelf("--dyn-syms", file).splitlines():
        field = line.split()
        if len(field) < 8 or not field[0].endswith(":") or (field[6] != "UND") != defined or field[4] == "WEAK":
            continue
        name, _, version = field[7].replace("@@", "@").partition("@")
        found.add((name, version))
    return found


def _version_owners(file: Path) -> dict[str, str]:
    """The library that each symbol version is expected from."""
    owners, soname = {}, ""
    for line in _readelf("-V", file).splitlines():
        if match := re.search(r"File: (\S+)", line):
            soname = match[1]
        elif match := re.search(r"Name: (\S+) .*Version:", line):
            owners[match[1]] = soname
    return owners


def stand_in(user: Path, soname: str, real: list[Path], out: Path) -> None:
    """Make a library that has each symbol which `user` wants of `soname`, so that it loads. A call to any traps."""
    owners = _version_owners(user)
    versions: dict[str, list[str]] = {}
    # A symbol without a version is looked for in every library, so any stand-in may have it if no real one does.
    elsewhere = {name for library in real for name, _ in _symbols(library, defined=True)}
    names = []
    for name, version in sorted(_symbols(user, defined=False)):
        if owners.get(version) == soname:
            versions.setdefault(version, []).append(name)
        elif version or name in elsewhere:
            continue
        names.append(name)
    source = "".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in names)
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch, "versions")
        script.write_text("".join(f"{v} {{ global: {'; '.join(group)}; }};\n" for v, group in versions.items()))
        # An empty script is an error to the linker.
        options = [f"-Wl,--version-script={script}"] if versions else []
        # -w: gcc knows some of the names by other prototypes.
        command = ["gcc", "-shared", "-nostdlib", "-fPIC", "-O1", "-w", "-s", "-Wl,--build-id=none"]
        command += [f"-Wl,-soname,{soname}", *options, "-x", "c", "-", "-o", str(out)]
        subprocess.run(command, input=source, text=True, check=True)
