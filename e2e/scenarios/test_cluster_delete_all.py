# SPDX-License-Identifier: Apache-2.0
"""A deletion with spec.deletionPolicy: what a job keeps outside Kubernetes goes with it, or is named.

1. everything is asked for: no topic, group or object of the job is left; another job's are untouched
2. only the checkpoints are asked for: group and topics stay
3. S3 is away (long): the job is gone in bounded time, what could be removed is, and an event says what stays
4. a suspended job: no pod is started for it, an event says what stays
5. the namespace of a running job is deleted: it goes in bounded time; what the job keeps outside is gone, or
   named in the operator's log. (Kubernetes from 1.33 on deletes all pods before anything else, so nobody is
   left who could remove it: docs/design/0002-what-stays-after-a-deletion.md)
"""
import pytest

from streamjob_e2e import offsets, topics
from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.cluster_job import WORKER, ClusterJob
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import stays_true, wait_until

ALL = {"checkpoints": "Delete", "exchangeTopics": "Delete", "consumerGroup": "Delete"}
EVENTS = 50_000
DELETE_MAX = 120  # of the operator; what Kubernetes needs beside it is not in it
SLACK = 30


class Outside:
    """What one job keeps in Kafka and S3."""

    def __init__(self, case, job):
        self.case, self.namespace = case, job.namespace
        self.uid = job.get()["metadata"]["uid"]
        self.group = f"streamjob.{self.uid}"

    def groups(self):
        return [name for name in topics.groups(self.case.kafka.bootstrap) if self.uid in name]

    def offsets(self):
        return offsets.committed(self.case.kafka.bootstrap, self.group)

    def topics(self):
        return [name for name in topics.names(self.case.kafka.bootstrap) if self.uid in name]

    def objects(self):
        return self.case.s3.keys(f"{self.namespace}/{self.uid}/")

    def all(self):
        return {"groups": self.groups(), "offsets": self.offsets(), "topics": self.topics(),
                "objects": self.objects()}

    def wait_whole(self):
        """Until there is some of everything, so that its absence means something."""
        wait_until("group, topics and objects of the job", lambda: all(self.all().values()), 90)


def running(case, job, **spec):
    """The job with something committed, and what it keeps outside."""
    job.apply(**spec)
    job.wait_ready()
    outside = Outside(case, job)
    outside.wait_whole()
    return outside


def delete(job, seconds):
    job.kubectl.delete("streamjob", job.name, job.namespace)
    wait_until("the job to go", lambda: job.get() is None, seconds)


def event(job, reason):
    """The message of the job's event."""
    def found():
        return next((e["message"] for e in job.kubectl.items("events", job.namespace)
                     if e["reason"] == reason), None)
    return wait_until(f"an event {reason}", found, 30)


@pytest.fixture(name="other")
def another_job(case, cluster, job):
    """A second job beside the first, in its namespace, with the same policy; it lives on."""
    other = ClusterJob(case, cluster)
    other.name = "other"
    case.defer(lambda: other.kubectl.delete("streamjob", other.name, job.namespace))
    return other


def test_everything_goes(case, job, other):
    case.write(Shape(events=EVENTS, seed=131))
    kept = running(case, other, deletionPolicy=ALL)
    gone = running(case, job, deletionPolicy=ALL)
    before = kept.all()
    delete(job, 90)
    assert not any(gone.all().values()), gone.all()
    wait_until("its children to go", lambda: not [
        thing for thing in job.left_over() if "other" not in thing[1]], 60)
    message = event(job, "CleanedUp")
    assert gone.uid in message and "removed" in message, message
    after = kept.all()
    assert after["groups"] == before["groups"] and after["topics"] == before["topics"]
    assert after["offsets"].keys() == before["offsets"].keys()
    assert after["objects"] and other.ready()
    assert {case.source, case.sink} <= set(topics.names(case.kafka.bootstrap)), "the user's own"
    case.group = kept.group
    case.write(Shape(events=EVENTS, seed=132))
    wait_until("the other job to go on", lambda: kept.offsets() != before["offsets"], 60)


def test_only_checkpoints_go(case, job):
    case.write(Shape(events=EVENTS, seed=133))
    outside = running(case, job, deletionPolicy={"checkpoints": "Delete"})
    delete(job, 90)
    assert not outside.objects()
    assert outside.groups() and outside.topics() and outside.offsets()


@pytest.mark.long  # two minutes, until it is given up
@pytest.mark.fault(26, "S3 is away while a job that asks for its removal is deleted",
                   "gone in bounded time; what can be removed is; an event names what stays")
def test_s3_away(case, s3, job):
    case.write(Shape(events=EVENTS, seed=134))
    outside = running(case, job, deletionPolicy=ALL)
    case.defer(s3.start)
    s3.kill()
    delete(job, DELETE_MAX + SLACK)
    message = event(job, "CleanupGaveUp")
    assert f"{job.namespace}/{outside.uid}/" in message, message
    assert outside.group not in message, "the group could be removed"
    assert not outside.groups() and not outside.topics()
    s3.start()
    wait_until("the objects, which stay", outside.objects, 30)
    wait_until("its children to go", lambda: not job.left_over(), 60)


def test_suspended_job(case, job):
    case.write(Shape(events=EVENTS, seed=135))
    outside = running(case, job, deletionPolicy=ALL)
    job.patch(state="Suspended")
    job.wait_phase("Suspended")
    assert not job.pods()
    job.kubectl.delete("streamjob", job.name, job.namespace)
    stays_true("no pod is started", lambda: not job.pods(), 5)
    wait_until("the job to go", lambda: job.get() is None, 30)
    message = event(job, "CleanupGaveUp")
    for name in (f"{job.namespace}/{outside.uid}/", outside.group, f"{outside.group}.*"):
        assert name in message, message
    assert all(outside.all().values())


@pytest.mark.long  # two minutes, until it is given up
@pytest.mark.fault(26, "worker 0 dies whenever it has fenced the ids of a deleted job",
                   "gone in bounded time; an event names what stays")
def test_who_cleans_up_dies(case, cluster, job):
    case.write(Shape(events=EVENTS, seed=137))
    outside = running(case, job, deletionPolicy=ALL,
                      worker={**WORKER, "image": cluster.crashing_worker("remains.fenced")})
    delete(job, DELETE_MAX + SLACK)
    message = event(job, "CleanupGaveUp")
    assert f"{job.namespace}/{outside.uid}/" in message and outside.group in message, message
    assert outside.objects()


@pytest.mark.fault(25, "the namespace of a running job is deleted",
                   "it goes in bounded time; what stays of the job in Kafka and S3 is named in the operator's log")
def test_namespace_goes(case, cluster, job):
    case.write(Shape(events=EVENTS, seed=136))
    outside = running(case, job, deletionPolicy=ALL)
    cluster.kubectl.delete("namespace", job.namespace)
    wait_until("the namespace to go", lambda: cluster.kubectl.get("namespace", job.namespace) is None,
               DELETE_MAX + 2 * SLACK)
    stays = [name for name, found in (("group", outside.groups()), ("topics", outside.topics()),
                                      ("objects", outside.objects())) if found]
    said = " ".join(line for pod in cluster.operator_pods()
                    for line in cluster.kubectl.run("logs", "-n", SYSTEM, pod["metadata"]["name"]).splitlines()
                    if "something of a deleted job stays" in line and outside.uid in line)
    named = [what for what, words in (("group", f"the consumer group {outside.group}"),
                                      ("topics", f"the exchange topics {outside.group}.*"),
                                      ("objects", f"/{outside.uid}/")) if words in said]
    assert stays == named, (stays, said)
