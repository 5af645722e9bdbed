"""Merging by time: nothing is lost, nothing comes twice, each machine's entries stay in order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.logs.log_entry import LogEntry
from fleetcaptain.logs.log_merge import Reordering, merged

TIMES = st.lists(st.lists(st.integers(0, 50)), max_size=5)


def streams(times: list[list[int]]) -> list[list[LogEntry]]:
    """A stream for each list of times; the message is the place in it."""
    return [
        [LogEntry(time, f"10.0.0.{machine}", "web@1.service", str(place)) for place, time in enumerate(of)]
        for machine, of in enumerate(times)
    ]


def in_order_of_each(entries: list[LogEntry]) -> bool:
    """Whether each machine's entries are in their order."""
    places: dict[str, list[int]] = {}
    for entry in entries:
        places.setdefault(entry.address, []).append(int(entry.message))
    return all(found == list(range(len(found))) for found in places.values())


@given(TIMES)
def test_all_entries_come_once_and_each_machines_in_order(times: list[list[int]]) -> None:
    """Even if clocks were set back."""
    given_streams = streams(times)
    found = list(merged(given_streams))
    assert sorted(map(repr, found)) == sorted(repr(entry) for stream in given_streams for entry in stream)
    assert in_order_of_each(found)


@given(TIMES)
def test_clocks_that_go_forward_give_one_order(times: list[list[int]]) -> None:
    """By time."""
    found = list(merged(streams([sorted(of) for of in times])))
    assert all(first.time_us <= then.time_us for first, then in pairwise(found))


def test_a_merge_reads_no_further_than_it_needs() -> None:
    """A journal of 100 MB is not read ahead."""
    taken: list[int] = []

    def endless(machine: int) -> object:
        time = 0
        while True:
            taken.append(machine)
            yield LogEntry(time, f"10.0.0.{machine}", "web@1.service", "")
            time += 1

    found = merged([endless(1), endless(2)])  # type: ignore[list-item]
    for _ in range(10):
        next(found)
    assert len(taken) <= 12


@given(TIMES, st.randoms())
def test_following_loses_nothing_and_keeps_each_order(times: list[list[int]], random: object) -> None:
    """Whatever the order of arrival between machines."""
    left = streams(times)
    order, now = Reordering(0.3), 0.0
    found: list[LogEntry] = []
    order.open()
    while any(left):
        stream = random.choice([stream for stream in left if stream])  # type: ignore[attr-defined]
        order.add(stream.pop(0), now)
        now += random.choice([0.0, 0.1, 0.4])  # type: ignore[attr-defined]
        found += order.due(now)
    found += order.rest()
    assert len(found) == sum(map(len, times))
    assert in_order_of_each(found)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 3)), max_size=30, unique_by=lambda pair: pair[0]))
def test_what_arrives_within_the_window_comes_by_time(arrivals: list[tuple[int, int]]) -> None:
    """From different machines; one machine's entries arrive in order."""
    by_machine = sorted(arrivals, key=lambda pair: (pair[1], pair[0]))
    order = Reordering(0.3)
    order.open()
    for time, machine in by_machine:
        order.add(LogEntry(time, f"10.0.0.{machine}", "web@1.service", ""), 0.1)
    assert list(order.due(0.3)) == []
    assert [entry.time_us for entry in order.due(0.4)] == sorted(time for time, _ in arrivals)


@given(TIMES, st.integers(0, 20))
def test_it_opens_with_the_last_entries_of_all(times: list[list[int]], last: int) -> None:
    """And drops none that come later."""
    order = Reordering(0.3)
    held = [entry for stream in streams([sorted(of) for of in times]) for entry in stream]
    for entry in held:
        order.add(entry, 0)
    order.open(last)
    order.add(LogEntry(51, "10.0.0.9", "web@1.service", ""), 1)
    order.open(last)
    kept = sorted(entry.time_us for entry in held)[max(0, len(held) - last) :]
    assert [entry.time_us for entry in order.due(2)] == [*kept, 51]


def test_nothing_comes_before_it_is_open() -> None:
    """So that what the machines already have is in one order."""
    order = Reordering(0.3)
    order.add(LogEntry(1, "10.0.0.1", "web@1.service", ""), 0)
    assert list(order.due(100)) == []
    order.open()
    assert len(list(order.due(100))) == 1
