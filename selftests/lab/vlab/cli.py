# SPDX-License-Identifier: GPL-2.0-only
"""selftests/lab/run: options, messages, exit status."""

import argparse
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

from . import errors, initramfs, job, kernels, paths, qemu, terminal
from .console import Log
from .errors import LabError
from .session import Options, Session, say

EPILOG = f"""\
exit status:
  CMD's own; 128+N if signal N killed it
  {errors.GUEST_ENDED}  the guest ended before CMD did (power-off from inside, QEMU died)
  {errors.KERNEL_REPORT}  the kernel complained: oops, WARNING, lockdep, KASAN, UBSAN, stall, memory leak, ...
  {errors.FROZEN}  the lab froze: no guest time passes
  {errors.TIMEOUT}  the time limit was reached
  {errors.CANNOT_START}  the lab itself could not start
  {errors.CANNOT_EXEC}  CMD cannot be executed
  {errors.NOT_FOUND}  CMD was not found
  130, 143  interrupted (Ctrl-C), terminated; QEMU is stopped

A status below 128 that is the lab's own comes with a line "lab: ..." on stderr.
See Documentation/lab.md.
"""


class _Interrupted(BaseException):
    def __init__(self, number: int):
        super().__init__()
        self.number = number


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise LabError(f"{message}; see selftests/lab/run --help")


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="selftests/lab/run", epilog=EPILOG,
                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
                     description="Runs CMD as root in a virtual machine with a chosen kernel, on "
                     "this machine's files under a throwaway overlay.")
    parser.add_argument("--kernel", default="6.1", metavar="|".join(kernels.ALIASES),
                        help="default %(default)s")
    parser.add_argument("--icount", action="store_true",
                        help="count instructions: one CPU, 1 ns of guest time per instruction")
    parser.add_argument("--smp", type=int, metavar="N", help="CPUs (default 2)")
    parser.add_argument("--mem", default="2048", metavar="M", help="memory in MiB, or like 4G "
                        "(default %(default)s)")
    parser.add_argument("--timeout", type=float, metavar="S",
                        help="seconds until the run is stopped (default 600; none for --shell)")
    parser.add_argument("--shell", action="store_true",
                        help="CMD (default: a shell) on the terminal; Ctrl-] three times stops the guest")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="directory that inside and outside can write (VIREO_LAB_OUT; "
                        "default build/lab/KERNEL); holds console.log")
    parser.add_argument("--stdin", action="store_true", help="give CMD the caller's stdin")
    parser.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]",
                        help="set, or pass on, a variable (VIREO_* are passed on anyway)")
    parser.add_argument("--no-kmemleak", action="store_true",
                        help="debug kernels: do not look for leaks at the end (saves some 20 s)")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto")
    parser.add_argument("--append", default="", metavar="ARGS", help="more kernel arguments")
    parser.add_argument("--qemu", action="append", default=[], metavar="ARGS",
                        help='more QEMU arguments, e.g. "-drive file=x.img,if=virtio,format=raw"')
    parser.add_argument("--gdb", action="store_true",
                        help="gdb stub on port 1234; a stopped guest is not taken for frozen")
    parser.add_argument("--verbose", action="store_true",
                        help="show QEMU's command line and how long the boot took")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    return parser.parse_args(argv)


def _memory(text: str) -> int:
    units = {"M": 1, "G": 1024}
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in units else (text, "M")
    if not number.isdigit() or int(number) * units[unit] < 256:
        raise LabError(f'--mem "{text}": not a size of at least 256 MiB; try 2048 or 4G')
    return int(number) * units[unit]


def _machine(args: argparse.Namespace) -> qemu.Machine:
    smp = args.smp if args.smp is not None else (1 if args.icount else 2)
    if smp < 1:
        raise LabError(f"--smp {smp}: at least one CPU is needed")
    if args.icount and smp != 1:
        raise LabError(f"--smp {smp}: --icount counts the instructions of one CPU; use --smp 1")
    if args.icount and args.accel == "kvm":
        raise LabError("--accel kvm: --icount needs emulation; leave one of them out")
    accel = qemu.choose_accel() if args.accel == "auto" else args.accel
    return qemu.Machine(accel, smp, _memory(args.mem), args.icount, args.append, args.qemu,
                        args.gdb)


def _command(args: argparse.Namespace) -> list[str]:
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command and args.shell:
        return ["/bin/bash", "-l"]
    if not command:
        raise LabError("CMD is missing: selftests/lab/run [options] -- CMD..., "
                       "or --shell for a terminal")
    _look_for(command[0])
    return command


def _look_for(program: str) -> None:
    """The lab has this machine's files: what is not here need not be booted for.

    Except below the few directories that the lab has of its own.
    """
    path = os.path.join(paths.CHECKOUT, program)
    if os.path.dirname(program) and path.startswith(("/dev/", "/proc/", "/run/", "/sys/")):
        return
    if shutil.which(path if os.path.dirname(program) else program, path=job.PATH):
        return
    if os.path.dirname(program) and os.path.exists(path):
        raise LabError(f"{program}: not executable; chmod +x, or name its interpreter first",
                       errors.CANNOT_EXEC)
    raise LabError(f"{program}: not found; the lab has this machine's programs, "
                   f"and PATH={job.PATH}", errors.NOT_FOUND)


def _out_directory(args: argparse.Namespace) -> Path:
    out = (args.out or paths.CHECKOUT / "build/lab" / args.kernel).absolute()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise LabError(f"--out {out}: cannot be created: {e.strerror}") from e
    free = shutil.disk_usage(out).free >> 20
    if free < 64:
        raise LabError(f"--out {out}: only {free} MiB free there; free some, or choose another "
                       "directory with --out")
    if not os.access(out, os.W_OK | os.X_OK):
        raise LabError(f"--out {out}: not writable; choose another directory with --out")
    return out.resolve()


def _run(argv: list[str]) -> int:
    args = _parse(argv)
    command = _command(args)
    machine = _machine(args)
    if args.shell and not sys.stdin.isatty():
        raise LabError("--shell needs a terminal on stdin; use --stdin to feed CMD from a pipe")
    if args.timeout is not None and not args.timeout > 0:
        raise LabError(f"--timeout {args.timeout:g}: not a positive number of seconds")
    kernels.check_alias(args.kernel)
    qemu.check()
    if not os.access(paths.CHECKOUT, os.R_OK | os.X_OK):
        raise LabError(f"{paths.CHECKOUT}: not readable by this user, so neither in the lab")
    out = _out_directory(args)
    kernel = kernels.find(args.kernel)
    rows, columns = terminal.size()
    task = job.Job(command, job.environment(kernel, out, args.env), paths.CHECKOUT, out,
                   args.shell, args.stdin, kernel.is_debug and not args.no_kmemleak,
                   rows, columns)
    initrd = initramfs.base(kernel) + job.archive(task, kernel)
    timeout = args.timeout if args.timeout is not None else (None if args.shell else 600.0)
    log = Log(out)
    guest = qemu.Qemu(machine, kernel.image, initrd, out, log.path)
    try:
        if args.verbose:
            say(shlex.join(guest.argv))
        options = Options(timeout, args.shell, args.stdin, args.gdb, args.icount, bool(args.qemu),
                          args.verbose, kernel, command[0])
        return Session(guest, options, log).run()
    finally:
        guest.kill()


def _interrupt(number: int, _frame) -> None:
    # Once is enough: a second one must not cut the clean-up short.
    for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(n, signal.SIG_IGN)
    raise _Interrupted(number)


def main(argv: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(argv)
    except LabError as e:
        say(str(e))
        return e.status
    except _Interrupted as e:
        say(f"stopped by {signal.Signals(e.number).name}")
        return 128 + e.number
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except OSError as e:
        say(f"{e.filename or 'the lab'}: {e.strerror}")
        return errors.CANNOT_START
