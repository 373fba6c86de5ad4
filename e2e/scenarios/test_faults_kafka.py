# SPDX-License-Identifier: Apache-2.0
"""Kafka's answers are lost, late or doubled, and others meddle: exact, or refused in words.

A proxy stands between one worker of this machine and the broker; it knows requests by kind and by
transactional id. Cases of docs/operations/faults.md, and their steps:
- 48 a commit request is held and its connection cut, so that the library asks again and is answered;
  the stray one arrives later, in another transaction of that producer: the broker refuses it. The same
  by a plain producer, which has no defence: the harness sees an aborted record that was committed
- 51, 52 answers to commits and to offset commits are lost, requests are doubled; once the worker dies
  before it could ask again
- 57 the input is deleted and made anew while the job is away: refused, nothing is written
- 59 the input gets more partitions: a restart reads the new ones from their beginning, once
- 61 transactions expire while the store is slow: the worker gives up and the next one is exact
- 76 a stranger takes the transactional ids over: the worker ends as fenced, the next one is exact
- 80 a stranger's transaction stands open in the input: the job waits, lives, and goes on
- 82 commits are swallowed for ever: the attempt ends in a bound, the next one is exact (long)
- 118 a bit of a fetched batch is flipped: the worker stops there; the next one is exact
"""
import time

import pytest
from confluent_kafka import KafkaException, Producer

from streamjob_e2e import faults, kafka_proxy, s3_proxy, topics
from streamjob_e2e.events import Shape
from streamjob_e2e.faults import feed, job_behind, prove
from streamjob_e2e.kafka_proxy import (END_TXN, FETCH, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED,
                                       TXN_OFFSET_COMMIT)
from streamjob_e2e.local_worker import FAILED, FENCED, OK
from streamjob_e2e.waiting import stays_true, wait_until


def error_text(worker):
    errors = [m for m in worker.messages() if m.get("level") == "error"]
    return errors[-1].get("error", "") if errors else ""


@pytest.mark.fault(48, "a commit request arrives late, in the next transaction of its producer",
                   "the broker refuses it by its epoch; exact")
def test_delayed_commit(case):
    case.topics()
    with faults.kafka_proxy(case) as proxy, feed(case, 201) as load:
        worker = case.worker("worker", job_behind(case, proxy))
        worker.wait_running()
        worker.wait_epochs(2)
        stray = proxy.on("request", END_TXN, kafka_proxy.hold_and_cut, case.group, times=1)
        who = stray.wait().transactional_id
        worker.wait_epochs(3)
        assert worker.said("kafka producer is replaced: a commit had to be repeated")
        answers = len(proxy.errors(END_TXN))
        stray.release()
        late = {(who, INVALID_PRODUCER_EPOCH), (who, PRODUCER_FENCED)}
        wait_until("the broker's refusal", lambda: late & set(proxy.errors(END_TXN)[answers:]), 20)
        load.end()
        prove(case, worker)


@pytest.mark.fault(48, "the same, by a producer without the defence",
                   "the harness sees the anomaly: a record of an aborted transaction is committed")
def test_delayed_commit_without_defence(case):
    case.topics(1, 1)
    with faults.kafka_proxy(case) as proxy:
        producer = Producer({"bootstrap.servers": proxy.bootstrap, "transactional.id": case.name,
                             "retry.backoff.ms": 50})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(case.sink, b"committed")
        assert producer.flush(30) == 0
        stray = proxy.on("request", END_TXN, kafka_proxy.hold_and_cut, case.name, times=1)
        producer.commit_transaction(30)
        producer.begin_transaction()
        producer.produce(case.sink, b"aborted")
        assert producer.flush(30) == 0
        answers = proxy.count("answer", END_TXN)
        stray.release()
        wait_until("the late commit", lambda: proxy.count("answer", END_TXN) > answers, 20, 0.05)
        with pytest.raises(KafkaException):
            producer.abort_transaction(30)
        wait_until("the anomaly", lambda: [v for _, v in topics.read_all(
            case.kafka.bootstrap, case.sink)] == [b"committed", b"aborted"], 20)


@pytest.mark.fault(51, "the answer to a commit is lost", "asked again, decided once; exact")
@pytest.mark.fault(52, "the answer to an offset commit is lost, the request is doubled", "exact")
def test_lost_and_doubled_answers(case):
    case.topics()
    with faults.kafka_proxy(case) as proxy, feed(case, 202) as load:
        worker = case.worker("worker", job_behind(case, proxy))
        worker.wait_running()
        for side, key, act in (("answer", END_TXN, kafka_proxy.drop_and_cut),
                               ("answer", TXN_OFFSET_COMMIT, kafka_proxy.drop_and_cut),
                               ("request", TXN_OFFSET_COMMIT, kafka_proxy.duplicate),
                               ("request", END_TXN, kafka_proxy.duplicate)):
            worker.wait_epochs(1)
            proxy.on(side, key, act, case.group, times=1).wait()
        worker.wait_epochs(2)
        load.end()
        prove(case, worker)


@pytest.mark.fault(51, "the worker dies with the answer to its commit under way",
                   "the next one finds out; exact")
def test_lost_answer_and_death(case):
    case.topics()
    with faults.kafka_proxy(case) as proxy, feed(case, 203) as load:
        job = job_behind(case, proxy)
        worker = case.worker("first", job)
        worker.wait_running()
        worker.wait_epochs(2)
        lost = proxy.on("answer", END_TXN, kafka_proxy.drop, case.group, times=1)
        lost.wait()
        worker.kill()
        successor = case.worker("second", job)
        faults.commits_on(case)
        load.end()
        prove(case, worker, successor)


@pytest.mark.fault(57, "the input topic is deleted and made anew",
                   "refused in words; nothing is written")
def test_input_made_anew(case):
    case.topics()
    case.write(Shape(events=10_000, seed=204))
    job = case.job_file()
    first = case.worker("first", job)
    first.wait_running()
    wait_until("all records read", lambda: first.status()["recordsIn"] >= 10_000)
    assert first.stop() == OK
    wait_until("no open transaction", lambda: not topics.open_transactions(
        case.kafka.bootstrap, case.sink))
    before = topics.ends(case.kafka.bootstrap, case.sink)
    topics.delete(case.kafka.bootstrap, [case.source])
    wait_until("the topic's end", lambda: case.source not in topics.names(case.kafka.bootstrap))
    topics.create(case.kafka.bootstrap, case.source, 8)
    case.write(Shape(events=20_000, seed=205))
    second = case.worker("second", job)
    text = wait_until("the refusal in words", lambda: error_text(second), 60)
    assert case.source in text, text
    assert topics.ends(case.kafka.bootstrap, case.sink) == before, "something was written"


@pytest.mark.fault(59, "the input gets more partitions",
                   "a restart reads the new ones from their beginning, once; exact")
def test_partitions_are_added(case):
    case.topics(4)
    job = case.job_file()
    case.write(Shape(events=10_000, seed=206, partitions=4), close=False)
    first = case.worker("first", job)
    first.wait_running()
    wait_until("all records read", lambda: first.status()["recordsIn"] >= 10_000)
    topics.grow(case.kafka.bootstrap, case.source, 6)
    stays_true("the worker's life with its own partitions", first.running, 2)
    assert first.stop() == OK
    # Windows of the first hour may have fired by now: what is added is of the second.
    case.write(Shape(events=10_000, seed=207, partitions=6, start=Shape.start + 3_600_000))
    second = case.worker("second", job)
    second.wait_running()
    assert second.said("new source partitions")
    prove(case, first, second)


@pytest.mark.fault(61, "the transaction's time is over before the checkpoint is stored",
                   "the worker gives up and says why; the next one is exact")
def test_transaction_expires_during_upload(case):
    case.topics()
    sink = {"properties.transaction.timeout.ms": "10000"}
    with faults.s3_proxy(case) as store, feed(case, 208) as load:
        job = job_behind(case, s3=store, sink_options=sink)
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(2)
        slow = store.on(s3_proxy.delay(14), "PUT", times=1)
        slow.wait()
        assert first.wait(60) == FENCED, first.log()[-1500:]
        assert "longer than 'transaction.timeout.ms' = 10000" in error_text(first), error_text(first)
        second = case.worker("second", job)
        second.wait_running()
        load.end()
        prove(case, first, second)


@pytest.mark.fault(76, "a stranger takes the job's transactional ids over",
                   "the worker ends as fenced and commits nothing more; the next one is exact")
def test_ids_are_hijacked(case):
    case.topics()
    job = case.job_file()
    with feed(case, 209) as load:
        first = case.worker("first", job)
        first.wait_running()
        first.wait_epochs(2)
        for letter in "ab":
            Producer({"bootstrap.servers": case.kafka.bootstrap,
                      "transactional.id": f"{case.group}.0.{letter}"}).init_transactions(30)
        assert first.wait(60) == FENCED, first.log()[-1500:]
        second = case.worker("second", job)
        faults.commits_on(case)
        load.end()
        prove(case, first, second)


@pytest.mark.fault(80, "a stranger's transaction stands open in the input",
                   "the job waits and lives, and goes on when it is ended; exact")
def test_foreign_transaction_in_the_input(case):
    case.topics()
    foreign = Producer({"bootstrap.servers": case.kafka.bootstrap, "transactional.id": f"{case.name}-x"})
    foreign.init_transactions(30)
    foreign.begin_transaction()
    for partition in range(8):
        foreign.produce(case.source, b'{"user_id":"x","event_type":"view","product_id":"p","amount":0.00,'
                                     b'"event_time":"2026-01-05 00:00:00.000"}', partition=partition)
    assert foreign.flush(30) == 0
    case.write(Shape(events=20_000, seed=210))
    worker = case.worker("worker", case.job_file())
    worker.wait_running()
    stays_true("the wait", lambda: worker.running() and worker.status()["recordsIn"] == 0, 3)
    foreign.abort_transaction(30)
    prove(case, worker)


@pytest.mark.long
@pytest.mark.fault(82, "commit requests are swallowed for ever",
                   "the attempt ends within three minutes; the next one is exact")
def test_commits_are_swallowed(case):
    case.topics()
    with faults.kafka_proxy(case) as proxy, feed(case, 211) as load:
        job = job_behind(case, proxy)
        worker = case.worker("worker", job)
        worker.wait_running()
        worker.wait_epochs(2)
        swallowed = proxy.on("request", END_TXN, kafka_proxy.drop, case.group)
        swallowed.wait()
        begun = time.monotonic()
        wait_until("the end of the attempt", lambda: not worker.running() or
                   worker.said("attempt failed"), 180)
        assert time.monotonic() - begun >= 15, "too early: a lost broker takes as long"
        swallowed.end()
        workers = [worker]
        if not worker.running() or worker.process.poll() is not None:
            workers.append(case.worker("second", job))
        load.end()
        prove(case, *workers, seconds=180)


@pytest.mark.fault(118, "a bit of a fetched record batch is flipped",
                   "the worker stops and names the offset, nothing is skipped; the next one is exact")
def test_damaged_batch(case):
    case.topics()
    case.write(Shape(events=40_000, seed=212))
    with faults.kafka_proxy(case) as proxy:
        # Answers with records in them; the last bytes of the others are lengths.
        damaged = proxy.rules.add(kafka_proxy.Rule(
            lambda f: f.side == "answer" and f.key == FETCH and len(f.data) > 20_000,
            kafka_proxy.flip_bit, times=1))
        job = job_behind(case, proxy)
        first = case.worker("first", job)
        damaged.wait()
        assert first.wait(60) == FAILED
        text = error_text(first)
        assert case.source in text and "offset" in text and "CRC" in text, text
        second = case.worker("second", job)
        prove(case, first, second)
