# SPDX-License-Identifier: Apache-2.0
"""Events are what their seed says and never late."""
import itertools
import time

from streamjob_e2e import checker, events, loadgen
from streamjob_e2e.waiting import Hopeless, TimedOut, stays_true, wait_until

SHAPE = events.Shape(events=20_000, seed=7, partitions=4, users=50)


def flat(shape, size=5000):
    out = [[] for _ in range(shape.partitions)]
    for batch in events.batches(shape, size):
        for partition, pairs in enumerate(batch):
            out[partition] += pairs
    return out


def test_the_seed_decides_and_the_batch_size_does_not():
    assert flat(SHAPE) == flat(SHAPE, 333)
    assert flat(SHAPE) != flat(events.Shape(events=20_000, seed=8, partitions=4, users=50))


def test_all_events_are_there_and_spread():
    sizes = [len(part) for part in flat(SHAPE)]
    assert sum(sizes) == 20_000 and min(sizes) > 4_500


def test_times_are_out_of_order_but_never_late():
    """The checker itself refuses late input."""
    expectation, swaps, last = checker.Expectation(range(4)), 0, ""
    for partition, pairs in enumerate(flat(SHAPE)):
        for _, value in pairs:
            expectation.add(partition, value)
            time = value.split('"event_time":"')[1]
            swaps, last = swaps + (time < last), time
        expectation.add(partition, events.closing(SHAPE))
    assert swaps > 5_000
    assert expectation.rows() == expectation.rows(finished=True)
    assert len(expectation.rows()) > 1_000


def test_a_live_feed_takes_its_time_from_the_clock():
    shape = events.Shape(events=0, partitions=1, disorder=1)
    batch = next(events.batches(shape, 3, lambda: events.to_ms("2026-02-03 04:05:06")))
    assert len(batch[0]) == 3
    assert all("2026-02-03 04:05:06.000" in value for _, value in batch[0])


def test_waiting_says_what_for_and_what_was_seen():
    numbers = itertools.count()
    assert wait_until("the third answer", lambda: next(numbers) >= 2, every=0) is True
    try:
        wait_until("the moon", lambda: 0, seconds=0, every=0)
    except TimedOut as error:
        assert "the moon" in str(error) and "seen last: 0" in str(error)
    else:
        raise AssertionError("no time-out")


def test_waiting_ends_at_once_when_no_wait_would_help():
    def ended():
        raise Hopeless("it has ended")
    try:
        wait_until("the dead", ended, seconds=600)
    except Hopeless as error:
        assert "it has ended" in str(error)
    else:
        raise AssertionError("nothing was said")


def test_waiting_takes_an_error_for_not_yet():
    answers = iter([OSError("down"), "up"])

    def ask():
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert wait_until("an answer", ask, every=0) == "up"


def test_what_stops_holding_is_a_failure():
    answers = iter([True, False])
    try:
        stays_true("calm", lambda: next(answers), seconds=5, every=0)
    except AssertionError as error:
        assert "calm did not hold" in str(error)
    else:
        raise AssertionError("not seen")


def test_a_live_feed_with_a_backlog_catches_up():
    sent = 0
    clock = loadgen.live_clock(1000, 60, lambda: sent)
    begun = time.time()
    assert abs(clock() / 1000 - (begun - 60)) < 1
    sent = 30_000
    assert abs(clock() / 1000 - (begun - 30)) < 1
    sent = 600_000
    assert clock() / 1000 - begun < 5, "never ahead of the clock"
