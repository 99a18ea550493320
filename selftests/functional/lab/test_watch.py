# SPDX-License-Identifier: GPL-2.0-only
"""When a guest counts as frozen: the rule alone, on invented times."""

from vlab.freeze import Usage, Watch

SECOND = range(0, 600)


def first_verdict(smp, cpu_rate, wait_rate=0.0, beats=lambda cpu, t: False, console=lambda t: False,
                  icount=False, guest_rate=1.0):
    """Runs the clock until there is a verdict; (second, sentence), or None."""
    watch = Watch(0.0, Usage(0.0, 0.0), icount)
    for t in SECOND:
        usage = Usage(t * cpu_rate, t * wait_rate)
        if console(t):
            watch.console(t, usage)
        for cpu in range(smp):
            if beats(cpu, t):
                watch.beat(cpu, t * guest_rate, t, usage)
        verdict = watch.verdict(t, usage)
        if verdict:
            return t, verdict
    return None


def after(start, second):
    """Beats until then, and no more."""
    return lambda cpu, t: start <= t <= second


def test_a_beating_guest_is_well():
    assert first_verdict(2, 2.0, beats=lambda cpu, t: True) is None


def test_a_spinning_guest_is_frozen_within_a_minute():
    when, verdict = first_verdict(2, 2.0, beats=after(5, 20))
    assert verdict.startswith("frozen: no guest time has passed for")
    assert when - 20 <= 60


def test_at_half_a_cpu_it_still_is_within_a_minute():
    when, _ = first_verdict(2, 0.5, beats=after(5, 20))
    assert when - 20 <= 60


def test_on_a_starved_machine_silence_proves_nothing():
    """A hundredth of a CPU, always waiting for more: too little to say."""
    assert first_verdict(2, 0.01, wait_rate=1.9, beats=after(5, 20)) is None


def test_late_beats_under_icount_are_no_freeze():
    assert first_verdict(1, 0.8, icount=True, guest_rate=0.04,
                         beats=lambda cpu, t: t % 28 == 0) is None


def test_an_idle_guest_without_beats_is_halted():
    when, verdict = first_verdict(2, 0.0, beats=after(5, 20))
    assert verdict.startswith("halted")
    assert when - 20 <= 60


def test_one_dead_cpu_is_found_while_others_beat():
    when, verdict = first_verdict(2, 1.0, beats=lambda cpu, t: cpu == 0 or 5 <= t <= 20)
    assert "CPU 1 has run no process" in verdict
    assert when - 20 <= 60


def test_console_output_is_life_during_the_boot():
    assert first_verdict(2, 1.0, console=lambda t: t % 20 == 0) is None


def test_a_silent_boot_is_frozen_within_a_minute():
    when, verdict = first_verdict(2, 1.0)
    assert verdict.startswith("frozen")
    assert when <= 60


def test_console_output_is_no_life_once_there_were_beats():
    """A CPU that prints for ever with interrupts off is as frozen as a silent one."""
    assert first_verdict(2, 1.0, beats=after(5, 20), console=lambda t: True) is not None
