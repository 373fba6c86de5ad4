# SPDX-License-Identifier: Apache-2.0
"""The checker on a real Kafka: what must be hidden is hidden, what must be seen is seen.

1. events are written; a hand-made output is right: exact;
2. rows of an aborted transaction are ignored; rows of an open one are not counted, and it is named;
3. a row twice, a row with another sum, a row less, a row too many: each is found.
"""
import json

from confluent_kafka import Producer

from streamjob_e2e import events, topics
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import wait_until


def row(key, result, **changes):
    (user, start), (count, total) = key, result
    text = json.dumps({"user_id": user, "window_start": events.to_text(start)[:19],
                       "event_count": count, "total_amount": 0, **changes})
    return text.replace('"total_amount": 0', f'"total_amount": {total}')


def producer(case, transactional=None):
    made = Producer({"bootstrap.servers": case.kafka.bootstrap,
                     **({"transactional.id": transactional} if transactional else {})})
    if transactional:
        made.init_transactions(30)
        made.begin_transaction()
    return made


def send(made, case, rows):
    for number, value in enumerate(rows):
        made.produce(case.sink, value, partition=number % 4)
    assert made.flush(30) == 0


def test_the_checker_on_kafka(case):
    case.topics()
    case.write(Shape(events=5_000, seed=51, users=20))
    check = case.check()
    check.read_input()
    expected = check.expectation.rows()
    assert len(expected) > 100
    assert len(check.verdict().lost) == len(expected)

    plain, rows = producer(case), [row(key, result) for key, result in expected.items()]
    send(plain, case, rows)
    assert check.verdict().exact and check.missing() == 0

    aborted = producer(case, f"{case.name}-aborted")
    send(aborted, case, rows[:7])
    aborted.abort_transaction(30)
    verdict = check.verdict()
    assert verdict.exact and verdict.rows == len(rows), str(verdict)

    pending = producer(case, f"{case.name}-open")
    send(pending, case, rows[:2])
    assert check.verdict().exact
    assert topics.open_transactions(case.kafka.bootstrap, case.sink)
    pending.commit_transaction(30)
    wait_until("the markers", lambda: not topics.open_transactions(case.kafka.bootstrap, case.sink), 30)
    assert len(check.verdict().duplicated) == 2

    key, result = next(iter(expected.items()))
    send(plain, case, [row(key, (result[0], result[1] + 1))])
    assert len(check.verdict().wrong) == 1
    send(plain, case, [row(("nobody", key[1]), result)])
    assert len(check.verdict().unexpected) == 1
