# SPDX-License-Identifier: GPL-2.0-only
"""Emulated disks and a CD-ROM in a guest under the VMM: Linux's own drivers read, write, flush, are told of faults."""

import ide
import pytest

IN_MODE = {"dma": "XFER_MW_DMA_2", "pio": "XFER_PIO_4"}  # Linux's names
EACH_MODE = pytest.mark.parametrize("mode", ide.MODES)


@pytest.fixture(scope="module")
def seen(seen_in):
    return seen_in("ide", "6.1")


def test_driver_finds_its_drives(seen):
    found = seen["identity"]
    assert len(found["functions"]) == 1
    sizes = {ide.MAIN: ide.MAIN_SIZE, ide.FAULTY: ide.FAULTY_SIZE, ide.LARGE: ide.LARGE_SIZE}
    for name, size in sizes.items():
        assert found[name] == {"model": "VIREO HARDDISK", "size": size}
    assert found[ide.CD] == {"model": "VIREO CD-ROM", "size": ide.CD_SIZE}


@EACH_MODE
def test_drives_are_in_that_mode(seen, mode):
    assert seen[f"mode {mode}"]["modes"] == [IN_MODE[mode]] * 4


@EACH_MODE
def test_disk_is_read(seen, mode):
    found = seen[f"disk {mode}"]
    assert found["read"] == found["digest"]


@EACH_MODE
def test_what_is_written_is_read_back(seen, mode):
    found = seen[f"disk {mode}"]
    assert found["fio"]["status"] == 0, found["fio"]["output"]
    assert "err= 0" in found["fio"]["output"]


@EACH_MODE
def test_what_is_flushed_is_in_the_image(seen, mode):
    found = seen[f"disk {mode}"]
    assert found["written"] == seen["pattern"]
    assert found["flushes"] >= 1


@EACH_MODE
def test_counters_tell_what_it_costs(seen, mode):
    for name, least in ((f"disk {mode}", 2 * ide.VERIFIED[mode]), (f"cd {mode}", ide.READ[mode])):
        counted = seen[name]["counted"]
        by_word, by_dma = counted["pio-bytes"], counted["dma-bytes"]
        # Commands' packets and what a drive says of itself are always moved by the processor.
        assert (by_dma if mode == "dma" else by_word) >= least, counted
        assert (by_word < least // 10) if mode == "dma" else (by_dma == 0), counted
        assert counted["errors"] == 0 or name.startswith("cd"), counted  # which is asked for what it does not know
        assert counted["traps"] > counted["interrupts"] > 0, counted


@EACH_MODE
@pytest.mark.parametrize("where", ["across", "end"])
def test_sectors_beyond_28_bits(seen, mode, where):
    assert seen[f"48 bits {mode}"][where] == [seen["pattern"]] * 2


@EACH_MODE
def test_upper_bits_are_not_lost(seen, mode):
    found = seen[f"48 bits {mode}"]
    assert found["elsewhere"] == [found["zeroes"]] * 2


@EACH_MODE
def test_cd_is_read(seen, mode):
    found = seen[f"cd {mode}"]
    assert found["read"] == found["digest"]


@EACH_MODE
def test_cd_is_not_written(seen, mode):
    assert seen[f"cd {mode}"]["write"]["status"] != 0


def test_stops_and_goes_on(seen):
    found = seen["stop and go on"]
    assert found["stopped"] and found["went on"] > 0
    assert found["fio"]["status"] == 0, found["fio"]["output"]


def test_fault_of_the_image_is_told(seen):
    """The sector it was at, and nothing of its neighbours."""
    found = seen["faults"]
    assert found["bad"]["status"] != 0
    assert f"sector {ide.BAD_SECTOR} " in found["said"]
    assert "UNC" in found["said"]
    assert found["errors"] >= 1
    for image, read in found["neighbours"]:
        assert read == image


def test_read_only_disk_is_not_written(seen):
    found = seen["faults"]
    assert found["write"]["status"] != 0
    assert found["unchanged"]


def test_works_after_a_reset_of_the_machine(seen):
    found = seen["reset"]
    assert found["read"] == found["digest"]
    assert found["cd"][0] == found["cd"][1]
    assert found["modes"] == [IN_MODE["dma"]] * 4


def test_ends_cleanly(seen):
    assert seen.result.status == 0 and not seen.failures, str(seen.result)
    assert not seen["complaints"]
    assert seen["exit status"] == 0
