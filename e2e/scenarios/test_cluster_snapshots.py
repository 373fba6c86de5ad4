# SPDX-License-Identifier: Apache-2.0
"""Snapshots: the state of a running job kept by name, and jobs that begin with it.

1. a snapshot of three workers under load; the job is deleted with all its checkpoints; a fork with two workers
   goes on: what both wrote is exact, and the snapshot cost the first job nothing
2. another namespace is refused without a grant, in words, and begins by itself once it is granted
3. periodic snapshots are made and deleted; a deleted one takes its objects with it
"""
import collections
import time

import pytest

from streamjob_e2e import jobs, topics
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import Hopeless, NotYet, wait_until

RATE = 3_000
EVENTS = 60_000


class Snapshot:
    """A StreamJobSnapshot of a job."""

    def __init__(self, job, name):
        self.job, self.name = job, name

    def make(self, **spec):
        self.job.kubectl.apply({
            "apiVersion": "streamjob.io/v1alpha1", "kind": "StreamJobSnapshot",
            "metadata": {"name": self.name, "namespace": self.job.namespace},
            "spec": {"jobRef": {"name": self.job.name}, **spec}})
        return self

    def get(self):
        return self.job.kubectl.get("streamjobsnapshot", self.name, self.job.namespace)

    def status(self):
        return (self.get() or {}).get("status", {})

    def wait_taken(self, seconds=120):
        def taken():
            status = self.status()
            if status.get("phase") == "Failed":
                raise Hopeless(str(status))
            return status if status.get("phase") == "Completed" else NotYet(str(status))
        return wait_until(f"snapshot {self.name}", taken, seconds)

    def keys(self):
        """What lies in the store, by its location."""
        s3 = self.job.case.s3
        return s3.keys(self.status()["location"].removeprefix(f"s3://{s3.bucket}/") + "/")


def values(case, topic):
    """How often each committed row is there."""
    return collections.Counter(value for _, value in topics.read_all(case.kafka.bootstrap, topic))


def fork_of(case, cluster, job, snapshot, sink, name="fork", **spec):
    """A second job, from the snapshot, into a sink of its own."""
    fork = ClusterJob(case, cluster)
    fork.name, fork.namespace = name, job.namespace
    case.defer(lambda: fork.kubectl.delete("streamjob", name, fork.namespace))
    sql = jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, sink)
    fork.apply(sql=sql, restoreFrom={"snapshot": {"name": snapshot.name}}, **spec)
    return fork


def test_fork_goes_on_from_the_cut(case, cluster, job):
    forked = case.topic(f"{case.name}-forked", 4)
    check = case.check()
    with job.under_load(seed=171, rate=RATE, replicas=3,
                        deletionPolicy={"checkpoints": "Delete", "exchangeTopics": "Delete"}) as load:
        before = values(case, case.sink)
        epochs = job.epoch()
        snapshot = Snapshot(job, "kept").make()
        status = snapshot.wait_taken()
        after = values(case, case.sink)
        assert job.ready() and job.epoch() > epochs, "the job went on"
        assert status["objects"] > 0 and status["sizeBytes"] > 0 and status["sha256"]
        job.wait_epochs(3)
        load.end()
    case.wait_complete(check)
    case.expect_exact(check)
    everything = values(case, case.sink)
    job.kubectl.delete("streamjob", job.name, job.namespace)
    wait_until("the job to go", lambda: job.get() is None, 120)
    fork = fork_of(case, cluster, job, snapshot, forked, replicas=2)
    fork.wait_ready()
    assert fork.status()["restoredFrom"]["name"] == "kept"

    def whole():
        missing = everything - before - values(case, forked)
        late = sum((missing - (after - before)).values())
        return late == 0 or NotYet(f"{late} rows that were committed after the cut are missing")
    wait_until("the fork's output", whole, 180, 1)
    rows = values(case, forked)
    assert rows and not rows - everything, "rows that the first job did not write, or more often"
    assert not rows & before, "rows that were committed before the snapshot was asked for"
    # The snapshot is not needed any more.
    fork.kubectl.delete("streamjobsnapshot", "kept", job.namespace)
    for pod in fork.running_pods():
        fork.kubectl.delete("pod", pod["metadata"]["name"], job.namespace)
    fork.wait_workers(2)


def test_another_namespace_needs_a_grant(case, cluster, job):
    case.write(Shape(events=EVENTS, seed=172))
    job.apply()
    job.wait_ready()
    snapshot = Snapshot(job, "shared").make()
    snapshot.wait_taken()
    other = ClusterJob(case, cluster)
    other.namespace = f"{job.namespace}-b"
    other.kubectl.apply({"apiVersion": "v1", "kind": "Namespace",
                         "metadata": {"name": other.namespace}})
    other.secret()
    sink = case.topic(f"{case.name}-b", 4)
    other.apply(sql=jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, sink),
                restoreFrom={"snapshot": {"name": "shared", "namespace": job.namespace}})
    text = other.wait_words("SnapshotNotGranted", "spec.grants")
    assert not other.pods(), text
    snapshot.make(grants=[{"namespace": other.namespace}])
    other.wait_ready()
    assert other.status()["restoredFrom"]["namespace"] == job.namespace


@pytest.mark.long
def test_periodic_ones_come_and_go(case, job):
    case.write(Shape(events=EVENTS, seed=173))
    # One is made in each minute of the clock: near its end the first would be gone a second later.
    wait_until("a minute that has begun", lambda: time.time() % 60 < 20, 60)
    job.apply(snapshots={"every": "1m", "retain": {"count": 1}})
    job.wait_ready()

    def periodic():
        return job.kubectl.items("streamjobsnapshots", job.namespace, "streamjob.io/snapshot=periodic")
    first, = wait_until("the first one", lambda: periodic()[:1], 60)
    name = first["metadata"]["name"]
    kept = Snapshot(job, name)
    place = kept.wait_taken()["location"].removeprefix(f"s3://{case.s3.bucket}/")
    assert case.s3.keys(place + "/")
    wait_until("another one in its place", lambda: kept.get() is None, 180)
    assert [each["metadata"]["name"] for each in periodic()] > [name]
    assert not case.s3.keys(place + "/"), "its objects went with it"
