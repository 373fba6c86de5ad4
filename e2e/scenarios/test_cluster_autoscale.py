# SPDX-License-Identifier: Apache-2.0
"""What the operator scales for in the cluster, and what it does not: exact all the while.

A lag spike:
1. the job has no replicas in its spec and runs with one worker
2. events come faster than it is asked to be busy: the status says why more workers are needed, the
   decision is stored, and they run
3. the events end: after its window the operator goes back to one worker
4. input and output are compared by the checker; the spec was not written
The windows are short ones of the spec. A worker reads a million plain events a second, so the query is made
costly: a filter of many hashes that every event passes.

A transaction of somebody else that stands open in the input, case 40 of docs/operations/faults.md:
1. a plain transactional producer writes a record to every partition and does not commit
2. many events are written behind them: the topic grows, and nothing of it can be read
3. the status names the open transaction; no worker is added, however long it lasts
4. the transaction is committed: its records and what waited behind them come out, exact
"""
import pytest
from confluent_kafka import Producer

from streamjob_e2e import jobs, topics
from streamjob_e2e.case import PARTITIONS
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import Hopeless, NotYet, stays_true, wait_until

AUTOSCALING = {"enabled": True, "minReplicas": 1, "maxReplicas": 4, "targetUtilization": "0.3",
               "catchUp": "30s", "scaleUpAfter": "5s", "scaleDownAfter": "15s"}
RATE, SECONDS = 12_000, 45
BEHIND = 400_000
FIRST = (b'{"user_id":"stranger","event_type":"purchase","product_id":"p","amount":1.25,'
         b'"event_time":"2026-01-05 00:00:00.000"}')
HASHES, FILTERS = 25, 4


def costly_sql(case):
    """The purchases query; each event is hashed a hundred times first."""
    def hashed(salt):
        text = f"user_id || '{salt}'"
        for _ in range(HASHES):
            text = f"SHA256({text})"
        return f"CHAR_LENGTH({text}) = 64"
    plain = "event_type = 'purchase'"
    sql = jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, case.sink)
    assert plain in sql
    return sql.replace(plain, " AND ".join([*map(hashed, range(FILTERS)), plain]))


def scaled(job, wanted):
    """Whether the workers are as many as `wanted`: decided, in force, and running."""
    status = job.status()
    scaling = status.get("autoscaling", {})
    counts = (scaling.get("decision", 0), status.get("generation", {}).get("replicas", 0),
              len(job.running_pods()))
    return all(map(wanted, counts)) or NotYet(f"{scaling.get('veto')}: {scaling.get('message')}")


@pytest.mark.long  # the way back takes twenty pauses of a rescale, as measured on this machine
def test_lag_spike(case, job):
    check = case.check()
    job.apply(costly_sql(case), replicas=None, autoscaling=AUTOSCALING)
    job.wait_ready()
    with case.load(Shape(events=RATE * SECONDS, seed=601), rate=RATE) as load:
        wait_until("more workers", lambda: scaled(job, lambda count: count >= 2), 75, 0.5)
        load.finish()
    wait_until("one worker again", lambda: scaled(job, lambda count: count == 1), 400, 0.5)
    case.wait_complete(check, 60)
    case.expect_exact(check)
    case.expect_restorable()
    job.wait_ready()
    assert "replicas" not in job.get()["spec"], "the operator wrote the user's spec"
    events = job.status()["autoscaling"]["history"]
    assert events[0]["reason"] == "ScaleUp" and events[-1]["reason"] == "ScaleDown", events
    assert all(event["applied"] for event in events), events
    assert events[0]["pauseMs"] > 0, "the rescale was not measured"
    assert len(events) <= 5, f"it flaps: {events}"


def open_transaction(case):
    """A producer with an uncommitted record in every partition of the input; it may stay so for long."""
    producer = Producer({"bootstrap.servers": case.kafka.bootstrap, "transactional.id": f"{case.name}-x",
                         "transaction.timeout.ms": 600_000})
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(case.source, FIRST, partition=partition)
    assert producer.flush(30) == 0
    return producer


def one_worker(job):
    """True while nothing else is there, decided or planned."""
    status = job.status()
    scaling = status.get("autoscaling", {})
    seen = (scaling.get("decision"), status.get("generation", {}).get("replicas"), len(job.pods()))
    return seen == (1, 1, 1) and not scaling.get("history") or NotYet(f"{seen}: {scaling}")


def blocked(job):
    """The autoscaler's own words about the open transaction, once the status has them."""
    alone = one_worker(job)
    if not alone:
        raise Hopeless(f"scaled because of an open transaction: {alone!r}")
    scaling = job.status()["autoscaling"]
    text = f"{scaling.get('veto')}: {scaling.get('message')}"
    return text if scaling.get("veto") == "InputBlocked" else NotYet(text)


@pytest.mark.long  # as long as the scaler would need to be misled
@pytest.mark.fault(40, "a stranger's transaction stands open in the input, and much is written behind it",
                   "no worker is added; the status says why nothing is read; exact when it ends")
def test_open_transaction_is_no_load(case, job):
    check = case.check()
    job.apply(replicas=None, autoscaling=AUTOSCALING)
    job.wait_ready()
    wait_until("one worker", lambda: one_worker(job), 60)
    foreign = open_transaction(case)
    case.write(Shape(events=BEHIND, seed=602))
    behind = topics.open_transactions(case.kafka.bootstrap, case.source)
    assert len(behind) == PARTITIONS and sum(end - at for at, end in behind.values()) > BEHIND, behind
    # Numbers are written to the status at most once a minute.
    text = wait_until("the words", lambda: blocked(job), 120, 0.5)
    assert f"input blocked by an open transaction: {PARTITIONS} partitions wait" in text, text
    stays_true("one worker", lambda: one_worker(job), 30, 1)
    assert job.ready() and check.read_output() == 0
    foreign.commit_transaction(30)
    case.wait_complete(check, 60)
    case.expect_exact(check)
    case.expect_restorable()
    wait_until("other words", lambda: job.status()["autoscaling"].get("veto") != "InputBlocked", 120, 1)
