# SPDX-License-Identifier: Apache-2.0
"""Records that cannot be read, by policy; and offsets that are gone.

- fail (the default): the job stops and names topic, partition, offset and what is wrong
- skip: counted, the rest is exact
- dead-letter: the record is in the other topic byte for byte, once, the rest is exact
- committed offsets below the log's start: refused in words, never a silent jump
"""
import pytest
from confluent_kafka import Producer

from streamjob_e2e import loadgen, topics
from streamjob_e2e.events import Shape
from streamjob_e2e.local_worker import OK
from streamjob_e2e.waiting import wait_until

BAD = [b"{not json", b'{"user_id":"u","event_type":"purchase","amount":"x","event_time":"never"}',
       b"\xff\xfe\x00", b'"text"']


def write_bad(case, partition=3):
    producer = Producer({"bootstrap.servers": case.kafka.bootstrap})
    for value in BAD:
        producer.produce(case.source, value, partition=partition)
    assert producer.flush(30) == 0


def error_text(worker):
    """The last error the worker told, in its log."""
    errors = [m for m in worker.messages() if m.get("level") == "error"]
    return errors[-1].get("error", "") if errors else ""


def test_fail_names_the_record(case):
    case.topics()
    case.write(Shape(events=2_000, seed=41), close=False)
    write_bad(case)
    worker = case.worker("worker", case.job_file())
    text = wait_until("the error in words", lambda: error_text(worker), 60)
    offset = topics.ends(case.kafka.bootstrap, case.source)[3] - len(BAD)
    assert case.source in text and "3" in text and str(offset) in text, text
    assert "JSON" in text or "json" in text, text


class Judged:
    """The check without the records that are bad on purpose."""

    def __init__(self, check):
        self.expectation = check.expectation
        self._add = check.expectation.add
        check.expectation.add = self.add

    def add(self, partition, value):
        if value not in BAD:
            self._add(partition, value)


@pytest.mark.parametrize("policy", ["skip", "dead-letter", "ignore-parse-errors"])
def test_the_rest_goes_on(case, policy):
    case.topics()
    letters = case.topic(f"{case.name}-letters", 1) if policy == "dead-letter" else None
    wanted = ({"json.ignore-parse-errors": "true"} if policy == "ignore-parse-errors"
              else {"bad-records.policy": policy, "bad-records.topic": letters})
    case.write(Shape(events=20_000, seed=42), close=False)
    write_bad(case)
    loadgen.write_closing(case.kafka.bootstrap, case.source, Shape(events=20_000))
    worker = case.worker("worker", case.job_file(source_options=wanted))
    check = case.check()
    Judged(check)
    case.wait_complete(check)
    if policy != "ignore-parse-errors":
        wait_until("the count of bad records",
                   lambda: worker.status()["badRecords"] == len(BAD), 20)
    assert worker.stop() == OK
    case.expect_exact(check)
    if letters:
        assert sorted(v for _, v in topics.read_all(case.kafka.bootstrap, letters)) == sorted(BAD)


@pytest.mark.fault(58, "retention has passed the committed offsets", "refused in words, never skipped")
def test_offsets_that_are_gone_are_refused(case):
    case.topics()
    case.write(Shape(events=20_000, seed=43), close=False)
    job = case.job_file()
    first = case.worker("first", job)
    first.wait_running()
    wait_until("20,000 records read", lambda: first.status()["recordsIn"] >= 20_000)
    assert first.stop() == OK
    wait_until("no open transaction", lambda: not topics.open_transactions(
        case.kafka.bootstrap, case.sink))
    before = topics.ends(case.kafka.bootstrap, case.sink)
    case.write(Shape(events=20_000, seed=44))
    end = min(topics.ends(case.kafka.bootstrap, case.source).values())
    topics.delete_before(case.kafka.bootstrap, case.source, end - 10)
    second = case.worker("second", job)
    text = wait_until("the error in words", lambda: error_text(second), 60)
    assert case.source in text and "offset" in text, text
    assert not topics.open_transactions(case.kafka.bootstrap, case.sink)
    assert topics.ends(case.kafka.bootstrap, case.sink) == before, "something was written"
