# SPDX-License-Identifier: Apache-2.0
"""Workers come and go while the job runs: what changes its worker is handed over, the rest goes on.

1. `kubectl scale` under load, 1 -> 3 -> 2 (long: 1 -> 4 -> 2 -> 7 -> 0 -> 3): each is a hand-over; the job
   is Ready all the while, workers that stay are not started anew: exact
2. a worker is killed while units change hands: a switch of the whole job takes its place: exact
3. every worker dies at each named place of a hand-over (long): the same
"""
import threading

import pytest

from streamjob_e2e import loadgen
from streamjob_e2e.cluster import CRASHES
from streamjob_e2e.cluster_job import WORKER
from streamjob_e2e.waiting import NotYet, wait_until

RATE = 5_000
SEEN = ('jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.generation.number} '
        '{.status.generation.handOver.number}{"\\n"}')


class Watch:
    """What `kubectl get --watch` tells of a job while it is entered: (Ready, generation, handed over)."""

    def __init__(self, job):
        self._job, self.seen = job, []

    def __enter__(self):
        self._process = self._job.kubectl.start("get", "streamjob", self._job.name, "-n",
                                                self._job.namespace, "--watch", "-o", SEEN)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _read(self):
        for line in self._process.stdout:
            ready, number, *handed = line.split()
            self.seen.append((ready, int(number), bool(handed)))


def engines(job):
    """By the UID of a pod that runs: how often its container and its engine were started."""
    found = {}
    for pod in job.running_pods():
        name, status = pod["metadata"]["name"], pod["status"]["containerStatuses"][0]
        log = job.kubectl.run("logs", "-n", job.namespace, name)
        found[pod["metadata"]["uid"]] = status["restartCount"], log.count('"assigned"')
    return found


def settled(job, replicas):
    generation = job.status().get("generation", {})
    return (generation.get("replicas") == replicas and generation.get("step") == "Started" and
            "handOver" not in generation) or NotYet(str(generation))


def scale(job, replicas):
    job.kubectl.run("scale", "streamjob", job.name, "-n", job.namespace, f"--replicas={replicas}")
    wait_until(f"a generation of {replicas}", lambda: settled(job, replicas), 120)
    job.wait_workers(replicas, 120)
    job.wait_epochs(2)


def to_zero(job):
    job.kubectl.run("scale", "streamjob", job.name, "-n", job.namespace, "--replicas=0")
    wait_until("no pod", lambda: not job.pods(), 120)
    wait_until("Suspended", lambda: job.status()["phase"] == "Suspended", 30)


def hand_overs(job):
    """Messages of the events that tell of complete ones."""
    return [event["message"] for event in job.kubectl.items("events", job.namespace)
            if event["reason"] == "HandOverComplete"]


@pytest.mark.fault(77, "kubectl scale under load, up and down, and nothing else happens",
                   "only what changes its worker moves; the others never start anew; always Ready; exact")
def test_rescale_without_restart(case, job, everything):
    check = case.check()
    with job.under_load(seed=131, rate=RATE, seconds=2 * loadgen.LONG, replicas=1):
        steps = (4, 2, 7) if everything else (3, 2)
        with Watch(job) as watch:
            for replicas in steps:
                before = engines(job)
                scale(job, replicas)
                after = engines(job)
                stayed = before.keys() & after.keys()
                assert len(stayed) == min(len(before), replicas), (before, after)
                assert all(before[uid] == after[uid] for uid in stayed), (before, after)
        wait_until("events of all hand-overs", lambda: len(hand_overs(job)) == len(steps), 60)
        assert any(handed for _, _, handed in watch.seen), watch.seen
        assert all(ready == "True" for ready, _, _ in watch.seen), watch.seen
        if everything:
            to_zero(job)
            scale(job, 3)
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()


@pytest.mark.fault(77, "a worker is killed while units change hands",
                   "the whole job switches instead, said in an event; exact")
def test_worker_dies_in_a_hand_over(case, cluster, job):
    check = case.check()

    def started():
        generation = job.status().get("generation", {})
        return generation.get("step") == "Started" and "handOver" in generation

    def fell_back():
        return [event["message"] for event in job.kubectl.items("events", job.namespace)
                if event["reason"] == "GenerationPrepared" and "hand-over to generation" in
                event["message"] and "ended" in event["message"]]
    with job.under_load(seed=132, rate=RATE, seconds=2 * loadgen.LONG):
        victim = job.running_pods()[0]["metadata"]["name"]
        cluster.pod_signal(job.namespace, victim, "SIGSTOP")  # so that the hand-over waits for it
        job.patch(replicas=3)
        wait_until("START of a hand-over", started, 60, 0.05)
        cluster.pod_signal(job.namespace, victim, "SIGKILL")
        wait_until("a generation of 3", lambda: settled(job, 3), 180)
        job.wait_workers(3, 120)
        job.wait_epochs(2)
    wait_until("the event of the switch", fell_back, 60)
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()


@pytest.mark.long
@pytest.mark.fault(45, "each worker dies at each named place of a hand-over",
                   "the whole job switches instead; exact")
@pytest.mark.parametrize("point", [point for point in CRASHES if point.startswith("handover.")])
def test_crash_in_a_hand_over(case, cluster, job, point):
    check = case.check()
    worker = {**WORKER, "image": cluster.crashing_worker(point)}
    with job.under_load(seed=133, rate=RATE, seconds=2 * loadgen.LONG, replicas=2, worker=worker):
        job.patch(replicas=3)
        wait_until("a worker to die", lambda: any(
            status["restartCount"] for pod in job.pods()
            for status in pod["status"].get("containerStatuses", ())), 60)
        wait_until("a generation of 3", lambda: settled(job, 3), 240)
        job.wait_workers(3, 180)
        job.wait_epochs(2)
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()
