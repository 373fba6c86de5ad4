# SPDX-License-Identifier: Apache-2.0
"""recovery: kill -9 of a worker, and how long until output of later input is committed.

    e2e/perf/recovery local   [--kills 5]     one worker of this machine, started again at once
    e2e/perf/recovery cluster [--kills 5]     the pod of a StreamJob; its container is started
                                              again by the kubelet

Purchases are filtered from Kafka to Kafka, exactly once, epochs of 1 s, at 5,000 events/s. Counted is
the time from the kill to the first record, seen by a read_committed reader, of an event made after the
kill: no commit that was under way can be mistaken for it.
"""
import argparse
import datetime
import json
import os
import signal
import statistics
import sys
import threading
import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

import cases
from streamjob_e2e import environment, events, topics
from streamjob_e2e.case import Case
from streamjob_e2e.cluster import Cluster
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.pod_process import pid_of
from streamjob_e2e.waiting import wait_until

RATE, USERS = 5000, 1000
DOCS = os.path.join(environment.ROOT, "docs", "benchmarks")
INTERVAL = "1s"


class Arrivals(threading.Thread):
    """Reads the output as it is committed: (when seen, newest event time) of each batch."""

    def __init__(self, bootstrap, topic):
        super().__init__(daemon=True)
        self.seen, self.stop = [], threading.Event()
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "recovery",
                                   "isolation.level": "read_committed", "fetch.wait.max.ms": 10,
                                   "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topic, p, OFFSET_END)
                               for p in topics.partitions_of(bootstrap, topic)])

    def run(self):
        while not self.stop.is_set():
            messages = [m for m in self._consumer.consume(2000, .02) if m.error() is None]
            if messages:
                newest = max(_event_ms(m.value()) for m in messages)
                self.seen.append((time.time() * 1000, newest))
        self._consumer.close()

    def first_after(self, ms):
        """When output of an event made after `ms` was seen first."""
        return next((seen for seen, newest in list(self.seen) if newest > ms), None)

    def longest_gap(self, begin, end):
        times = [seen for seen, _ in self.seen if begin <= seen <= end]
        return max((b - a for a, b in zip(times, times[1:])), default=0)


def _event_ms(value):
    text = json.loads(value)["event_time"]
    whole, _, fraction = text.partition(".")
    return events.to_ms(whole) + int((fraction or "0").ljust(3, "0")[:3])


def _sql(bootstrap, source, sink):
    sql = cases.SOURCE.replace(",\n  'scan.bounded.mode'='latest-offset'", "")
    sql = sql.format(topic=source, brokers=bootstrap)
    return sql + cases.FILTER.format(to=cases.TO_KAFKA.format(sink=sink, brokers=bootstrap))


class Local:
    """The worker as a process; whoever kills it starts the next one at once."""

    def __init__(self, case):
        self.case, self.number = case, 0
        store = {"interval": INTERVAL, "location": f"file://{case.folder}/store"}
        self.file = case.job_file(sql=_sql(case.kafka.bootstrap, case.source, case.sink),
                                  checkpoint=store, replicas=1)
        self._start()

    def _start(self):
        self.number += 1
        self.worker = self.case.worker(f"worker{self.number}", self.file, threads=1)

    def wait(self):
        self.worker.wait_epochs(2)

    def kill(self):
        at = time.time() * 1000
        self.worker.kill()
        self._start()
        return at


class InCluster:
    """A pod's process; the kubelet sees it end and starts the container again."""

    def __init__(self, case):
        self.cluster = Cluster()
        self.job = ClusterJob(case, self.cluster)
        self.job.secret()
        self.job.apply(sql=_sql(case.kafka.pod_bootstrap, case.source, case.sink), interval=INTERVAL,
                       replicas=1)
        self.job.wait_ready()

        self.kills = 0

    def wait(self):
        """A pod without a restart: the kubelet holds back a container that ends again and again."""
        if self.kills > 0:
            old = self._pod()
            self.cluster.kubectl.delete("pod", old["metadata"]["name"], self.job.namespace)
            wait_until("a new pod", lambda: self._pod()["metadata"]["uid"] != old["metadata"]["uid"])
        self.job.wait_ready()
        self.job.wait_epochs(3)

    def _pod(self):
        return self.job.running_pods()[0]

    def kill(self):
        self.kills += 1
        pid = pid_of(self._pod())
        at = time.time() * 1000
        os.kill(pid, signal.SIGKILL)
        return at


def measure(case, kills, make):
    target = make(case)
    arrivals = Arrivals(case.kafka.bootstrap, case.sink)
    arrivals.start()
    rows = []
    try:
        for _ in range(kills):
            target.wait()
            killed = target.kill()
            seen = wait_until("output of later events", lambda at=killed: arrivals.first_after(at), 120,
                              .01)
            row = {"committed_output_seconds": round((seen - killed) / 1000, 2),
                   "longest_gap_seconds": round(arrivals.longest_gap(killed - 3000, seen) / 1000, 2)}
            rows.append(row)
            print(row, flush=True)
    finally:
        arrivals.stop.set()
        arrivals.join(10)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="recovery", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=("local", "cluster"))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--no-record", action="store_true")
    args = parser.parse_args()
    kafka = environment.Kafka()
    case = Case(f"recovery {args.where}", kafka, environment.S3() if args.where == "cluster" else None)
    failed = True
    try:
        case.topics()
        shape = events.Shape(events=0, partitions=8, users=USERS)
        with case.load(shape, rate=RATE, live=True):
            rows = measure(case, args.kills, Local if args.where == "local" else InCluster)
        failed = False
    finally:
        case.finish(failed)
    result = {"where": args.where, "rate": RATE, "epoch": INTERVAL, "runs": rows,
              "median_seconds": statistics.median(r["committed_output_seconds"] for r in rows)}
    print(json.dumps(result))
    if not args.no_record:
        name = f"{datetime.date.today().isoformat()}-recovery-{args.where}.json"
        with open(os.path.join(DOCS, name), "w", encoding="utf-8") as out:
            json.dump(result, out, indent=1)
            out.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
