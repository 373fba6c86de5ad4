# SPDX-License-Identifier: Apache-2.0
"""The checker sees each anomaly. No Kafka here; records that Kafka must hide are in a scenario."""
import json
from decimal import Decimal

import pytest

from streamjob_e2e import checker, events


def event(user, time, amount, kind="purchase"):
    return json.dumps({"user_id": user, "event_type": kind, "product_id": "p", "amount": 0,
                       "event_time": time}).replace(": 0,", f": {amount},")


def expect(records, finished=False):
    expectation = checker.Expectation([0])
    for record in records:
        expectation.add(0, record)
    return expectation.rows(finished)


INPUT = [event("a", "2026-01-05 00:00:01.000", "1.10"),
         event("b", "2026-01-05 00:00:30.500", "9.00", "view"),
         event("b", "2026-01-05 00:00:30.000", "5.00"),
         event("a", "2026-01-05 00:00:59.999", "2.20"),
         event("a", "2026-01-05 00:01:00.000", "7.77"),
         event("closing", "2026-01-05 01:00:00.000", "0.00", "close")]
RIGHT = [{"user_id": "a", "window_start": "2026-01-05 00:00:00", "event_count": 2, "total_amount": 3.30},
         {"user_id": "b", "window_start": "2026-01-05 00:00:00", "event_count": 1, "total_amount": 5.00},
         {"user_id": "a", "window_start": "2026-01-05 00:01:00", "event_count": 1, "total_amount": 7.77}]


def judge(rows):
    output = [checker.parse_row(json.dumps(row)) for row in rows]
    return checker.compare(expect(INPUT), output)


def test_right_rows_are_exact():
    verdict = judge(RIGHT)
    assert verdict.exact and str(verdict) == "3 rows, exact"


def test_order_does_not_matter():
    assert judge(RIGHT[::-1]).exact


def test_a_missing_row_is_lost():
    verdict = judge(RIGHT[1:])
    assert [key for key, _ in verdict.lost] == [("a", events.to_ms("2026-01-05 00:00:00"))]
    assert not verdict.exact and "1 lost" in str(verdict)


def test_a_row_twice_is_duplicated():
    verdict = judge(RIGHT + RIGHT[:1])
    assert len(verdict.duplicated) == 1 and not verdict.wrong and not verdict.exact


def test_a_cent_too_much_is_wrong():
    verdict = judge([{**RIGHT[0], "total_amount": 3.31}, *RIGHT[1:]])
    assert len(verdict.wrong) == 1 and not verdict.lost and not verdict.exact


def test_a_count_too_small_is_wrong():
    assert len(judge([{**RIGHT[0], "event_count": 1}, *RIGHT[1:]]).wrong) == 1


def test_a_null_sum_is_wrong():
    assert len(judge([{**RIGHT[0], "total_amount": None}, *RIGHT[1:]]).wrong) == 1


def test_a_user_nobody_wrote_is_unexpected():
    verdict = judge(RIGHT + [{**RIGHT[0], "user_id": "x"}])
    assert len(verdict.unexpected) == 1 and not verdict.exact


def test_a_row_in_the_wrong_window_is_lost_and_unexpected():
    verdict = judge([{**RIGHT[2], "window_start": "2026-01-05 00:02:00"}, *RIGHT[:2]])
    assert len(verdict.lost) == 1 and len(verdict.unexpected) == 1


def test_a_window_split_in_two_is_seen():
    half = {**RIGHT[0], "event_count": 1, "total_amount": 1.10}
    rest = {**RIGHT[0], "event_count": 1, "total_amount": 2.20}
    verdict = judge([half, rest, *RIGHT[1:]])
    assert len(verdict.duplicated) == 1 and len(verdict.wrong) == 2


def test_no_output_at_all_is_lost():
    assert len(judge([]).lost) == 3


def test_an_open_window_is_not_expected():
    """5 s behind 00:01:04.998 is 00:00:59.998: one millisecond before the first minute's last."""
    late = [*INPUT[:4], event("c", "2026-01-05 00:01:04.998", "1.00")]
    assert not expect(late)
    assert len(expect([*late, event("c", "2026-01-05 00:01:04.999", "1.00")])) == 2
    assert len(expect(late, finished=True)) == 3


def test_a_row_before_its_window_fired_is_unexpected():
    early = expect(INPUT[:4])
    output = [checker.parse_row(json.dumps(RIGHT[0]))]
    assert len(checker.compare(early, output).unexpected) == 1


def test_the_slowest_partition_decides():
    expectation = checker.Expectation([0, 1])
    for record in INPUT:
        expectation.add(0, record)
    with pytest.raises(checker.BadInput):
        expectation.rows()
    expectation.add(1, event("z", "2026-01-05 00:01:05.500", "1.00", "view"))
    assert len(expectation.rows()) == 2


def test_late_input_cannot_be_judged():
    with pytest.raises(checker.BadInput):
        expect([event("a", "2026-01-05 00:01:00.000", "1"), event("a", "2026-01-05 00:00:55.000", "1")])


def test_sums_are_decimal():
    """A hundred thousand cents, which binary fractions would miss."""
    expectation = checker.Expectation([0])
    for _ in range(100_000):
        expectation.add(0, event("a", "2026-01-05 00:00:01.000", "0.01"))
    assert list(expectation.rows(finished=True).values()) == [(100_000, Decimal("1000.00"))]


@pytest.mark.parametrize("text", ["2026-01-05 00:00:01.5", "2026-01-05T00:00:01.500",
                                  "2026-01-05 00:00:01.500"])
def test_forms_of_time(text):
    assert checker.parse_time(text) == events.to_ms("2026-01-05 00:00:01") + 500
    assert checker.parse_time(text[:19]) == events.to_ms("2026-01-05 00:00:01")
