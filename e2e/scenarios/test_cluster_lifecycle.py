# SPDX-License-Identifier: Apache-2.0
"""The life of a StreamJob: suspend, resume, rescale, change, complete, delete.

1. suspend: workers commit a last epoch and go; events wait; resume: goes on there, again and again, exact
2. replicas 2 -> 3 -> 1 under load (long: 1 -> 4 -> 2 -> 7), a worker killed in each rescale: exact; more
   workers than partitions and shards: said in words, exact
3. a restart asked for under load (restartNonce): exact
4. bounded input: phase Completed, exact
5. delete: nothing of ours is left in the namespace; checkpoints and topics stay, as documented; a job of
   the same name starts from the beginning, as another job
6. sample manifests are accepted by the API server as they are
"""
import glob
import os

import pytest
import yaml

from streamjob_e2e import loadgen, topics
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.environment import ROOT
from streamjob_e2e.events import Shape
from streamjob_e2e.kubectl import condition
from streamjob_e2e.waiting import stays_true, wait_until

RATE = 5_000


def prove(case, check, seconds=180, finished=False):
    case.wait_complete(check, seconds, finished)
    case.expect_exact(check, finished)
    case.expect_restorable()


@pytest.mark.fault(31, "a job is suspended and resumed under load, again and again",
                   "goes on exactly where it was")
def test_suspend_and_resume(case, job, everything):
    rounds = 10 if everything else 2
    check = case.check()
    with job.under_load(seed=121, rate=RATE, epochs=3, seconds=rounds * loadgen.LONG):
        for _ in range(rounds):
            job.patch(state="Suspended")
            job.wait_phase("Suspended")
            assert not job.pods()
            assert not topics.open_transactions(case.kafka.bootstrap, case.sink)
            before = case.committed()
            stays_true("the standstill", lambda b=before: not job.pods() and case.committed() == b, 5)
            case.expect_restorable()
            job.patch(state="Running")
            job.wait_ready()
            job.wait_epochs(3)
    prove(case, check)


def rescale(job, replicas, victim=-1):
    """Asks for so many workers, kills one of those that run, by its place, and waits until all do."""
    job.patch(replicas=replicas)
    victim = wait_until("a worker to kill", job.running_pods, 30)[victim]
    job.cluster.pod_signal(job.namespace, victim["metadata"]["name"], "SIGKILL")
    wait_until(f"a generation of {replicas}",
               lambda: job.status()["generation"]["replicas"] == replicas, 120)
    job.wait_workers(replicas, 180)
    job.wait_epochs(2)


@pytest.mark.fault(77, "rescales under load, a worker is killed in each of them", "exact")
def test_rescale(case, job, everything):
    check = case.check()
    with job.under_load(seed=122, rate=RATE, seconds=2 * loadgen.LONG, replicas=1 if everything else 2):
        for replicas in (4, 2, 7) if everything else (3, 1):
            rescale(job, replicas)
    prove(case, check)


@pytest.mark.fault(42, "more workers than partitions and shards are asked for",
                   "said in words; those without work do no harm, nor when they are killed or go; exact")
def test_more_workers_than_partitions(case, cluster):
    case.topic(case.source, 2)
    case.topic(case.sink, 4)
    job = ClusterJob(case, cluster)
    job.secret()
    check = case.check()
    with job.under_load(seed=126, rate=RATE, seconds=2 * loadgen.LONG, partitions=2, shards=2):
        assert "read nothing" not in condition(job.get(), "Ready")["message"]
        rescale(job, 5, victim=0)
        text = condition(job.get(), "Ready")["message"]
        assert f"3 of them read nothing of topic {case.source}" in text and "2 partitions" in text, text
        rescale(job, 2, victim=0)  # one without work
        assert "read nothing" not in condition(job.get(), "Ready")["message"]
    prove(case, check)


def test_restart(case, job):
    check = case.check()
    with job.under_load(seed=123, rate=RATE):
        before = {pod["metadata"]["uid"] for pod in job.pods()}
        job.patch(restartNonce=1)
        wait_until("new pods", lambda: job.ready() and not before & {
            pod["metadata"]["uid"] for pod in job.pods()}, 120)
    prove(case, check)


def test_bounded_job_completes(case, job):
    case.write(Shape(events=100_000, seed=124))
    job.apply(source_options={"scan.bounded.mode": "latest-offset"})
    job.wait_phase("Completed")
    prove(case, case.check(), finished=True)


def test_delete_leaves_nothing(case, job):
    check = case.check()
    job.apply()
    case.write(Shape(events=50_000, seed=125))
    case.wait_complete(check)
    group = case.group
    job.kubectl.delete("streamjob", job.name, job.namespace)
    wait_until("the job to go", lambda: job.get() is None, 120)
    wait_until("its children to go", lambda: not job.left_over(), 60)
    case.expect_exact(check)
    case.expect_restorable()
    assert case.sink in topics.names(case.kafka.bootstrap)
    assert case.s3.keys(job.namespace), "checkpoints are kept by policy"
    job.apply()
    assert case.group != group
    job.wait_ready()
    wait_until("all rows a second time", lambda: check.read_output() == 2 * len(
        check.expectation.rows()), 90)
    assert len(check.verdict().duplicated) == len(check.expectation.rows())
    assert not check.verdict().wrong


def test_samples_are_valid(cluster):
    """Against the API server with our schema: a dry run writes nothing."""
    found = sorted(glob.glob(os.path.join(ROOT, "crds/samples/*.yaml")))
    assert found
    for path in found:
        with open(path, encoding="utf-8") as text:
            for thing in yaml.safe_load_all(text):
                assert thing["kind"], path
        cluster.kubectl.run("apply", "--dry-run=server", "-n", "default", "-f", path)
