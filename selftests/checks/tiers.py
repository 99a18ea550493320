# SPDX-License-Identifier: GPL-2.0-only
"""The tiers of the check: what each runs, and what it may use. Documentation/testing.md says how to add one."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("fast", "check", "full")  # each runs what those before it run, and more

# Seconds for a whole run with everything built and cached, on two cores.
BUDGETS = {"fast": 60, "check": 30 * 60}


@dataclass(frozen=True)
class Tier:
    name: str
    about: str
    command: str  # bash; cwd is the checkout. $RESULTS: a directory for JUnit files, empty at the start
    results: str = "status"  # "junit": *.xml in $RESULTS; "tap": what it prints; "status": one test, its exit status
    budget: int = 10  # seconds when everything is built and cached
    limit: int = 900  # seconds after which it hangs
    needs: tuple[str, ...] = ()  # tiers that must have passed before
    cores: int = 1
    level: str = "check"  # the least level that runs it


def build(directory: str, options: str, targets: str = "all") -> str:
    return (
        f"cmake -S . -B build/{directory} -G Ninja {options} >/dev/null && "
        f"cmake --build build/{directory} --target {targets} --parallel $(nproc)"
    )


def pytest(tier: str, where: str, options: str = "") -> str:
    return f"/usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml=$RESULTS/{tier}.xml {options} {where}"


def gtest(directory: str, *programs: str) -> str:
    """All of them run, also when one fails."""
    each = (f"build/{directory}/selftests/{name} --gtest_brief=1"
            f" --gtest_output=xml:$RESULTS/{name.rsplit('/')[-1]}.xml || status=$?" for name in programs)  # fmt: skip
    return f"status=0; {'; '.join(each)}; exit $status"


UNIT_TESTS = ("unit/vq_unit", "unit/vq_cases")


def vmm_tests(directory: str) -> str:
    """The VMM's unit tests: one program a room."""
    return (f"status=0; for program in build/{directory}/selftests/unit/vmm/vmm_*; do"
            " [[ -f $program && -x $program ]] || continue;"
            " $program --gtest_brief=1 --gtest_output=xml:$RESULTS/${program##*/}.xml || status=$?; done;"
            " exit $status")  # fmt: skip


def kernel(alias: str, level: str = "check") -> tuple[Tier, Tier]:
    """A kernel to boot, and the modules for it."""
    debug = alias.startswith("debug")
    fetch = Tier(
        f"kernel-{alias}",
        "build the debug kernel, unless it is cached" if debug else "fetch the stock kernel, unless it is cached",
        f"selftests/lab/kernel {alias} image",
        limit=3600 if debug else 900,
        level=level,
    )
    modules = Tier(
        f"modules-{alias}",
        f"modules for {alias}: W=1, sparse, no warning",
        f"kernel/build {alias}",
        needs=(fetch.name,),
        level=level,
    )
    return fetch, modules


def kunit(alias: str, level: str = "check") -> Tier:
    """On one CPU: cases run one after the other, and a second CPU doubles the emulator's work."""
    return Tier(
        f"kunit-{alias}",
        f"the engine's cases inside kernel {alias}, faults included",
        f"selftests/lab/run --kernel {alias} --smp 1 --out build/lab/kunit-{alias} -- selftests/kunit/run",
        "tap",
        budget=90,
        limit=1200,
        needs=(f"modules-{alias}",),
        level=level,
    )


# On the debug kernel: what looks at lifetimes, errors and memory rather than at much traffic.
ON_DEBUG = "dirty_log hostile ioctls iotlb lifecycle migration misses modules offloads owner workers"


def kselftest(alias: str, level: str = "check", programs: str = "") -> Tier:
    return Tier(
        f"kselftest-{alias}",
        f"the devices under programs that are VMM and driver at once, on kernel {alias}",
        f"selftests/lab/run --kernel {alias} --out build/lab/kselftest-{alias} --timeout 2400"
        f" -- selftests/kselftest/run {programs}".rstrip(),
        "tap",
        budget=300 if programs else 120,
        limit=2700,
        needs=(f"modules-{alias}", "host"),
        level=level,
    )


VHOST_NET = "selftests/functional/vhost_net/test_vhost_"


def vhost_net(alias: str, level: str = "check") -> Tier:
    debug = alias.startswith("debug")
    what = "little traffic, link down and up; the kernel is silent" if debug else "traffic, options, offloads, resets"
    return Tier(
        f"vhost-net-{alias}",
        f"QEMU with /dev/vireo-net on kernel {alias}: {what}",
        pytest(f"vhost-net-{alias}", f"{VHOST_NET}basic.py {VHOST_NET}options.py", f"--kernel {alias}"),
        "junit",
        budget=240,
        limit=3600,
        needs=(f"modules-{alias}", "host"),
        level=level,
    )


def vhost_net_part(part: str, about: str, alias: str, level: str, limit: int = 2400) -> Tier:
    """Another scenario of its own."""
    return Tier(
        f"vhost-net-{part}-{alias}",
        f"QEMU with /dev/vireo-net on kernel {alias}: {about}",
        pytest(f"vhost-net-{part}-{alias}", f"{VHOST_NET}{part}.py", f"--kernel {alias}"),
        "junit",
        budget=200,
        limit=limit,
        needs=(f"modules-{alias}", "host"),
        level=level,
    )


def migration(alias: str, level: str = "check") -> Tier:
    return vhost_net_part("migration", "live migration there and back under traffic", alias, level)


def iommu(alias: str, level: str = "check") -> Tier:
    return vhost_net_part("iommu", "cards behind an IOMMU, which is emulated twice over", alias, level, limit=5400)


def debian(alias: str, level: str = "check") -> Tier:
    return vhost_net_part("debian", "Debian on a disk in the guest", alias, level)


def in_lab(name: str, about: str, room: str, alias: str, budget: int, limit: int) -> Tier:
    """A room's unit tests of what only a lab has."""
    return Tier(
        f"{name}-{alias}",
        about,
        f"selftests/lab/run --kernel {alias} --out $RESULTS --timeout {limit - 100}"
        f" -- selftests/unit/vmm/{room}/in_lab build/host/selftests/unit/vmm/vmm_{room}",
        "junit",
        budget=budget,
        limit=limit,
        needs=(f"modules-{alias}", "host"),
    )


def vmm_paths(alias: str) -> Tier:
    about = f"the VMM's card on taps and vhost devices of kernel {alias}, a hundred switches of path under traffic"
    return in_lab("vmm-paths", about, "net", alias, budget=60, limit=1000)


def vmm_disk_paths(alias: str) -> Tier:
    about = f"the VMM's disk on /dev/vireo-blk of kernel {alias}, a hundred switches of path under verified load"
    return in_lab("vmm-disk-paths", about, "block", alias, budget=150, limit=1600)


# Started in this order as cores come free: what others wait for, and what takes long, is first.
TIERS: tuple[Tier, ...] = (
    *kernel("debug"),
    *kernel("6.1"),
    *kernel("6.12"),
    *kernel("debug-6.12", "full"),
    Tier(
        "host",
        "build the userspace and the tests' programs",
        build("host", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        budget=5,
        level="fast",
    ),
    Tier(
        "guest",
        "nested guests, inside the lab",
        pytest("guest", "selftests/functional/guest"),
        "junit",
        budget=120,
        limit=1800,
        needs=("kernel-6.1", "kernel-6.12", "kernel-debug"),
    ),
    Tier(
        "lab",
        "the lab itself: boots, messages, signals, reports, freezes",
        pytest("lab", "selftests/functional/lab"),
        "junit",
        budget=180,
        limit=1800,
        needs=("kernel-6.1", "kernel-6.12", "kernel-debug"),
    ),
    kselftest("6.1"),
    kselftest("6.12"),
    kselftest("debug", "full", ON_DEBUG),
    kselftest("debug-6.12", "full"),
    vhost_net("6.1"),
    vhost_net("6.12", "full"),
    vhost_net("debug", "full"),
    vhost_net("debug-6.12", "full"),
    migration("6.1", "full"),
    migration("6.12", "full"),
    iommu("6.1", "full"),
    iommu("6.12", "full"),
    debian("6.1", "full"),
    debian("6.12", "full"),
    Tier(
        "vmm-guests",
        "a guest under the VMM: devices, both paths, a hundred switches of path, reset, power-off",
        pytest("vmm-guests", "selftests/functional/vmm", "-k 'modern and 6.1 and not 6.12'"),
        "junit",
        budget=300,
        limit=1800,
        needs=("modules-6.1", "host"),
    ),
    Tier(
        "vmm-guests-more",
        "guests under the VMM: every setup on 6.1 and 6.12, life and death, cards of each kind",
        pytest(
            "vmm-guests-more",
            "selftests/functional/vmm",
            "-k 'not nics and not vmm_ide and not (modern and 6.1 and not 6.12)'",
        ),
        "junit",
        budget=2400,
        limit=7200,
        needs=("modules-6.1", "modules-6.12", "host"),
        level="full",
    ),
    Tier(
        "demo",
        "make demo: what it claims of both paths, it sees",
        "selftests/demo",
        budget=120,
        limit=900,
        needs=("modules-6.1", "host"),
        cores=2,
        level="full",
    ),
    Tier(
        "vmm-nics",
        "emulated cards in a guest under the VMM: Linux's drivers, traffic, filters, link, offloads, resets",
        pytest("vmm-nics", "selftests/functional/vmm/test_vmm_nics.py"),
        "junit",
        budget=240,
        limit=1800,
        needs=("kernel-6.1", "host"),
        level="full",
    ),
    Tier(
        "vmm-ide",
        "emulated disks and a CD-ROM in a guest under the VMM: Linux's drivers, DMA and PIO, 48 bits, faults, reset",
        pytest("vmm-ide", "selftests/functional/vmm/test_vmm_ide.py"),
        "junit",
        budget=60,
        limit=1800,
        needs=("kernel-6.1", "host"),
    ),
    vmm_paths("6.1"),
    vmm_paths("6.12"),
    vmm_disk_paths("6.1"),
    vmm_disk_paths("6.12"),
    kunit("debug"),
    kunit("debug-6.12", "full"),
    Tier(
        "fuzz",
        "the engine under libFuzzer, both formats side by side",
        "selftests/fuzz/run --seconds 60",
        "tap",
        budget=70,
        cores=2,
    ),
    Tier(
        "fuzz-vmm",
        "what the VMM's devices and its monitor are told, under libFuzzer",
        "selftests/fuzz/run --seconds 30 blk_request ide net_control net_frames virtio_pci nic qmp",
        "tap",
        budget=80,
        needs=("fuzz",),
        cores=2,
    ),
    Tier(
        "fuzz-ioctl",
        "random calls on devices at work, on the debug kernel",
        "selftests/lab/run --kernel debug --out build/lab/fuzz-ioctl --timeout 1500 -- selftests/fuzz/ioctl/run",
        "tap",
        budget=180,
        limit=1800,
        needs=("modules-debug", "host"),
        cores=2,
    ),
    Tier(
        "faults",
        "memory runs out once at each place where it can, on the debug kernel",
        "selftests/lab/run --kernel debug --out build/lab/faults --timeout 1500 -- selftests/kselftest/run faults",
        "tap",
        budget=180,
        limit=1800,
        needs=("modules-debug", "host"),
        cores=2,
    ),
    Tier(
        "stress",
        "driver against device on two threads, millions of chains: no notification is lost",
        "build/host/selftests/stress/stress",
        "tap",
        budget=30,
        needs=("host",),
        cores=2,
    ),
    Tier(
        "stress-nobarrier",
        "the same without the engine's full barrier: one is lost, so the test can see it",
        "build/host/selftests/stress/stress_nobarrier --expect-loss",
        "tap",
        needs=("host",),
        cores=2,
    ),
    Tier(
        "stress-tsan",
        "the same under ThreadSanitizer",
        build("tsan", "-DVIREO_SANITIZE=thread", "stress") + " && build/tsan/selftests/stress/stress --chains 100000",
        "tap",
        budget=30,
        needs=("tsan",),
        cores=2,
    ),
    Tier(
        "exhaustive",
        "every descriptor table of a tiny ring, walked",
        "build/host/selftests/stress/exhaustive",
        needs=("host",),
    ),
    Tier(
        "bench",
        "the benchmark runs, and its figures can be read",
        "selftests/bench/run --quick --out $RESULTS && /usr/bin/python3 -m json.tool $RESULTS/vq.json",
        budget=20,
    ),
    Tier(
        "bench-net",
        "what a packet costs beside vhost-net, in instructions: the goals hold",
        "selftests/bench/net/run --quick --judge --no-modules --out $RESULTS && "
        "/usr/bin/python3 -m json.tool $RESULTS/net.json",
        budget=90,
        limit=1800,
        needs=("modules-6.1",),
        cores=2,
    ),
    Tier(
        "bench-boot",
        "what a guest's boot costs beside QEMU, and the memory that the VMM takes: the goals hold",
        "selftests/bench/boot/run --quick --judge --out $RESULTS",
        budget=90,
        limit=1800,
        needs=("kernel-6.1",),
        cores=2,
        level="full",
    ),
    Tier(
        "unit",
        "the engine's unit tests",
        gtest("host", *UNIT_TESTS),
        "junit",
        needs=("host",),
        level="fast",
    ),
    Tier(
        "vmm-unit",
        "the VMM's unit tests",
        vmm_tests("host"),
        "junit",
        needs=("host",),
        level="fast",
    ),
    Tier(
        "vmm-asan",
        "the VMM's unit tests under ASan and UBSan",
        build("asan", "-DVIREO_SANITIZE=address", "vmm_tests") + " && " + vmm_tests("asan"),
        "junit",
        budget=60,
        limit=1800,
        needs=("asan",),
        cores=2,
    ),
    Tier(
        "vmm-tsan",
        "the VMM's unit tests under ThreadSanitizer: its queues' threads against control",
        build("tsan", "-DVIREO_SANITIZE=thread", "vmm_tests") + " && " + vmm_tests("tsan"),
        "junit",
        budget=60,
        limit=1800,
        needs=("tsan",),
        cores=2,
        level="full",
    ),
    Tier(
        "asan",
        "the engine's unit tests under ASan and UBSan",
        build("asan", "-DVIREO_SANITIZE=address", "vq_unit vq_cases") + " && " + gtest("asan", *UNIT_TESTS),
        "junit",
        budget=20,
    ),
    Tier(
        "tsan",
        "driver and device on two threads under ThreadSanitizer",
        build("tsan", "-DVIREO_SANITIZE=thread", "vq_cases") + " && " + gtest("tsan", "unit/vq_cases"),
        "junit",
        budget=20,
    ),
    Tier(
        "coverage",
        "all lines and branches of the engine are reached by its unit tests",
        "selftests/unit/coverage",
        budget=20,
    ),
    Tier(
        "runner",
        "tests of this runner, of the style checks and of the set-up",
        pytest("runner", "selftests/checks selftests/style selftests/bench"),
        "junit",
        budget=15,
        level="fast",
    ),
    Tier(
        "style",
        "formatting, checkpatch, shellcheck, links, spelling",
        "selftests/style/run",
        "tap",
        budget=10,
        level="fast",
    ),
    Tier(
        "tidy",
        "clang-tidy of what is around the engine; asks again only what changed",
        "selftests/style/run clang-tidy",
        "tap",
        needs=("host",),  # writes down how each file is compiled
    ),
    Tier(
        "tidy-vmm",
        "clang-tidy of the VMM; asks again only what changed",
        "selftests/style/run clang-tidy-vmm",
        "tap",
        budget=60,
        limit=3600,
        needs=("host",),
        cores=2,
        level="full",
    ),
    Tier(
        "install",
        "what make install puts below DESTDIR, make uninstall removes",
        "root=$RESULTS/root; make install KVER=6.1 DESTDIR=$root;"
        " diff <(find $root -name '*.ko' -printf '%f\\n' | sort)"
        " <(grep -v '^#' kernel/shipped | sed 's/$/.ko/' | sort);"
        " grep -q 'GROUP=\"kvm\"' $root/usr/lib/udev/rules.d/*vireo.rules;"
        " make uninstall KVER=6.1 DESTDIR=$root; ! find $root -type f | grep .",
        needs=("modules-6.1", "host"),
    ),
    Tier(
        "fresh",
        "the set-up, the fast checks and the lab in a minimal Debian made for it",
        "selftests/checks/fresh",
        "tap",
        budget=360,
        limit=2400,
        level="full",
    ),
)


def choose(level: str, names: list[str], also: list[str] | None = None) -> list[Tier]:
    """The tiers of a level, and also some; or the named ones of any level. With those that they need, in this order."""
    by_name = {tier.name: tier for tier in TIERS}
    wanted: set[str] = set()
    queue = list(names) + list(also or [])
    if not names:
        queue += [tier.name for tier in TIERS if LEVELS.index(tier.level) <= LEVELS.index(level)]
    while queue:
        name = queue.pop()
        if name not in by_name:
            raise LookupError(f'tier "{name}": unknown; known are {", ".join(by_name)}')
        if name not in wanted:
            wanted.add(name)
            queue += by_name[name].needs
    return [tier for tier in TIERS if tier.name in wanted]
