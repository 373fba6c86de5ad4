# SPDX-License-Identifier: Apache-2.0
"""From the version before (N-1) to this one (N) and back, under jobs that run: exact.

N-1 is the commit that e2e/lib/previous-version names. Every pair of operator and worker serves the job:
1. N-1 alone, reached from N as a way back is documented: chart, then CRDs
2. CRDs of N, then its chart, with the worker image as it was: no pod, process or generation of the job
   changes, it is Ready all the while, epochs go on, and its status is hardly written
3. operator N, workers N-1: 2 -> 3 workers, by a switch of the whole job although hand-over is on
4. workers of N: from the checkpoints of N-1; suspended and resumed; 3 -> 2 workers by a hand-over
5. a second job asks for what N-1 does not have (spec.deletionPolicy)
6. chart of N-1, workers stay: as 2. The first job is scaled. The second one runs on, is told that its
   spec is not supported, and is not changed before N is back. CRDs of N-1: they drop what they do not know
7. workers of N-1: from the checkpoints of N
8. N again: the second job is served as written, but for the dropped field; that is written again, and the
   deletion takes all along
"""
import contextlib
import threading
import urllib.request

import pytest

from streamjob_e2e import jobs, loadgen, offsets, topics
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.kubectl import KubectlError, condition
from streamjob_e2e.versions import NEW, OLD, NoPreviousVersion, Versions, previous
from streamjob_e2e.waiting import NotYet, stays_true, wait_until

RATE = 2_000
METRICS_PORT = 9090
QUIET_SECONDS = 40
# Of one job in that time: a minute's numbers twice, a condition or two. A storm writes several each second.
QUIET_WRITES = 8
HAND_OVER = {"rescale.handOver": "true"}
POLICY = {"checkpoints": "Delete", "exchangeTopics": "Delete", "consumerGroup": "Delete"}


@pytest.fixture(name="versions")
def both_versions(case, cluster, job):  # after `job`: at the end N is back before the jobs are deleted
    try:
        folder = previous()
    except NoPreviousVersion as reason:
        pytest.skip(str(reason))
    made = Versions(cluster, folder)
    case.defer(made.restore)
    return made


class Onlooker:
    """Looks at jobs about once a second while it is entered; each must be Ready at every look."""

    def __init__(self, *watched):
        self._jobs, self._end, self.wrong, self.looks = watched, threading.Event(), [], 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self):
        while not self._end.wait(1):
            for job in self._jobs:
                with contextlib.suppress(KubectlError):  # the API server's, not the job's
                    seen = job.get()
                    self.looks += 1
                    ready, phase = condition(seen, "Ready"), seen["status"].get("phase")
                    if ready.get("status") != "True" or phase != "Running":
                        self.wrong.append((job.namespace, phase, ready))


def footprint(job):
    """What changes when a worker is replaced, started again, or given another assignment."""
    pods = {pod["metadata"]["uid"]: [c["restartCount"] for c in pod["status"]["containerStatuses"]]
            for pod in job.pods()}
    return job.status()["generation"]["number"], pods


def progress(job):
    """How many input records of a job are committed; Case.group may be another one's."""
    group = f"streamjob.{job.get()['metadata']['uid']}"
    committed = offsets.committed(job.case.kafka.bootstrap, group)
    return sum(offset for (topic, _), (offset, _) in committed.items() if topic == job.case.source)


def wait_progress(job):
    before = progress(job)
    wait_until("a commit", lambda: progress(job) > before, 60)


@contextlib.contextmanager
def untouched(*watched):
    """What the block does goes past the workers of these jobs."""
    before = [footprint(job) for job in watched]
    with Onlooker(*watched) as onlooker:
        yield
        for job in watched:
            wait_progress(job)
    assert onlooker.looks and not onlooker.wrong, onlooker.wrong[:5]
    assert [footprint(job) for job in watched] == before


def status_writes(cluster):
    """Counted by the operator's processes, whether they changed anything or not."""
    total = 0
    for pod in cluster.operator_pods():
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{METRICS_PORT}/metrics", timeout=10) as page:
            total += sum(float(line.split()[-1]) for line in page.read().decode().splitlines()
                         if line.startswith("streamjob_operator_status_writes_total"))
    return total


def expect_quiet(cluster, *watched):
    before, quiet = status_writes(cluster), len(watched) * QUIET_WRITES
    stays_true("hardly a status write", lambda: status_writes(cluster) - before <= quiet, QUIET_SECONDS, 4)


def worker_images(job):
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in job.pods()}


def wait_moved(job, version, replicas):
    """Until all workers are of that version, by a last epoch and new pods."""
    wait_until(f"workers {version}", lambda: worker_images(job) == {version} or
               NotYet(f"{worker_images(job)}, {job.status().get('change')}"), 180)
    job.wait_workers(replicas)
    job.wait_epochs(2)


def events(job, reason):
    return [e["message"] for e in job.kubectl.items("events", job.namespace) if e["reason"] == reason]


def scale(job, replicas):
    def there():
        generation = job.status()["generation"]
        return (generation["replicas"] == replicas and generation["step"] == "Started" and
                "handOver" not in generation) or NotYet(str(generation))
    job.patch(replicas=replicas)
    wait_until(f"a generation of {replicas}", there, 120)
    job.wait_workers(replicas)
    job.wait_epochs(2)


def outside(job, uid):
    """What a job keeps in Kafka and S3."""
    kafka = job.case.kafka.bootstrap
    return {"groups": [name for name in topics.groups(kafka) if uid in name],
            "topics": [name for name in topics.names(kafka) if uid in name],
            "objects": job.case.s3.keys(f"{job.namespace}/{uid}/")}


class SecondJob(ClusterJob):
    """The same query into a topic of its own, with a policy that only N knows."""

    def __init__(self, case, cluster):
        super().__init__(case, cluster, f"{case.name}-2")
        self.sink = case.topic(f"{case.name}-out2", 4)
        self.secret()

    def apply_policy(self, replicas):
        case, group = self.case, self.case.group  # which stays the first job's
        self.apply(sql=jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, self.sink),
                   replicas=replicas, deletionPolicy=POLICY)
        case.group = group

    def policy(self):
        return self.get()["spec"].get("deletionPolicy")


def old_workers(cluster, job, versions):
    """Steps 1 to 3."""
    with untouched(job):
        versions.crds(NEW)
        versions.chart(NEW, OLD, **HAND_OVER)
    expect_quiet(cluster, job)
    assert worker_images(job) == {OLD}
    scale(job, 3)
    assert not events(job, "HandOverComplete"), "workers of N-1 cannot hand over"


def new_workers(job, versions):
    """Step 4."""
    versions.chart(NEW, NEW, **HAND_OVER)
    wait_moved(job, NEW, 3)
    job.patch(state="Suspended")
    job.wait_phase("Suspended")
    job.patch(state="Running")
    job.wait_workers(3)
    job.wait_epochs(2)
    scale(job, 2)
    wait_until("the event of a hand-over", lambda: events(job, "HandOverComplete"), 30)


def way_back(cluster, job, second, versions):
    """Steps 6 and 7."""
    with untouched(job, second):
        versions.chart(OLD, NEW)
        text = second.wait_words("SpecValid=False", "consumerGroup", "unknown field")
        assert "deleting checkpoints with the job is not supported" in text, text
    scale(job, 3)
    held = footprint(second)
    second.patch(replicas=2)
    with untouched(job, second):
        versions.crds(OLD)
        wait_until("the field that the CRD does not know to go", lambda: second.policy() == {
            name: POLICY[name] for name in ("checkpoints", "exchangeTopics")}, 60)
        # With the next write of its numbers, at most a minute later, the job is stored like that.
        wait_until("the operator to see it", lambda: "consumerGroup" not in
                   condition(second.get(), "SpecValid")["message"], 180, 1)
        assert condition(second.get(), "SpecValid")["reason"] == "NotSupported"
    expect_quiet(cluster, job, second)
    versions.chart(OLD, OLD)
    wait_moved(job, OLD, 3)
    stays_true("the held job as it was", lambda: footprint(second) == held, 5)
    assert condition(second.get(), "Stalled").get("status") == "True"


def there_again(cluster, job, second, versions):
    """Step 8."""
    versions.crds(NEW)
    versions.chart(NEW, NEW)
    wait_moved(job, NEW, 3)
    wait_until("the second job's spec", lambda: condition(second.get(), "SpecValid")["status"] == "True", 60)
    second.wait_workers(2)  # what it was asked for meanwhile
    assert second.policy() == {"checkpoints": "Delete", "exchangeTopics": "Delete"}, "what was dropped stays so"
    expect_quiet(cluster, job, second)
    second.apply_policy(replicas=2)
    assert second.policy() == POLICY
    wait_progress(second)
    uid = second.get()["metadata"]["uid"]
    assert all(outside(second, uid).values()), outside(second, uid)
    second.kubectl.delete("streamjob", second.name, second.namespace)
    wait_until("the second job to go", lambda: second.get() is None, 120)
    assert not any(outside(second, uid).values()), outside(second, uid)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_operator_goes_forth_and_back(case, cluster, job, versions):
    versions.chart(OLD, OLD)
    versions.crds(OLD)
    check = case.check()
    with job.under_load(seed=151, rate=RATE, seconds=8 * loadgen.LONG):
        assert worker_images(job) == {OLD}
        old_workers(cluster, job, versions)
        new_workers(job, versions)
        second = SecondJob(case, cluster)
        second.apply_policy(replicas=1)
        second.wait_workers(1)
        wait_progress(second)
        way_back(cluster, job, second, versions)
        there_again(cluster, job, second, versions)
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()
