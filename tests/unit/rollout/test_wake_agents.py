"""Waking fleet's agents: as often as they hear it, and no more often however many wait."""

from __future__ import annotations

import threading

from fleetcaptain.rollout.polling import Nudger


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.now


def test_one_nudge_a_tick_serves_all_that_wait() -> None:
    """The second who asks is told that it was given."""
    clock = Clock()
    nudger = Nudger(clock)
    assert [nudger.due(), nudger.due()] == [True, False]
    clock.now += 1.06
    assert [nudger.due(), nudger.due()] == [True, False]


def test_a_change_wakes_agents_too() -> None:
    """So a nudge would be dropped while they sleep after it."""
    clock = Clock()
    nudger = Nudger(clock)
    nudger.changed()
    clock.now += 0.9
    assert not nudger.due()
    clock.now += 0.2
    assert nudger.due()


def test_a_change_that_sleeping_agents_drop_does_not_put_the_next_nudge_off() -> None:
    """They wake when their second is over, not a second after what they did not hear."""
    clock = Clock()
    nudger = Nudger(clock)
    nudger.changed()
    clock.now += 0.9
    nudger.changed()
    clock.now += 0.2
    assert nudger.due()


def test_of_many_threads_one_is_told() -> None:
    """At each moment."""
    nudger, told = Nudger(Clock()), []
    threads = [threading.Thread(target=lambda: told.append(nudger.due())) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(told) == 1
