# SPDX-License-Identifier: Apache-2.0
"""Kafka, S3 or the operator away: the job goes on or resumes by itself, exact.

1. the broker is killed with SIGKILL and started again on its data
2. S3 stands still for 45 s (short: 10 s); meanwhile nothing is committed, and in the long form, when
   epochs are late, the status says so
3. the operator's leader is deleted, or stopped so that its lease runs out and woken again: the other
   replica leads; workers commit all the while
4. both replicas are away: workers commit all the while; then an edit is served
"""
import time

import pytest

from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.waiting import settled, stays_true, wait_until

RATE = 5_000


def prove(case, job, check, seconds=240):
    case.wait_complete(check, seconds)
    case.expect_exact(check)
    case.expect_restorable()
    job.wait_ready()


@pytest.mark.fault(63, "the only broker of a job is killed and started again", "resumes; exact")
def test_broker_is_killed(case, kafka, job):
    check = case.check()
    with job.under_load(seed=111, rate=RATE):
        case.defer(kafka.start)
        kafka.kill()
        stays_true("the workers' life without Kafka", lambda: len(job.running_pods()) == 2, 3)
        kafka.start()
    prove(case, job, check)


@pytest.mark.fault(87, "S3 stands still under a job", "no commit without a checkpoint; resumes; exact")
def test_s3_stands_still(case, s3, job, everything):
    seconds = 45 if everything else 10
    check = case.check()
    with job.under_load(seed=112, rate=RATE):
        case.defer(s3.resume)
        s3.pause()
        paused_at = time.monotonic()
        before = settled(case.committed_input)  # an upload under way may still be committed
        stays_true("no commit without a checkpoint", lambda: case.committed_input() == before,
                   seconds - (time.monotonic() - paused_at), 1)
        if everything:
            job.wait_words("CheckpointHealthy=False", seconds=30)
        s3.resume()
    prove(case, job, check)


def another_leads(case, cluster, job, seed, break_leader, mend_leader):
    """`break_leader(pod)` makes the leader lose its lease; the workers notice nothing."""
    check = case.check()
    with job.under_load(seed=seed, rate=RATE):
        old = wait_until("a leader", cluster.leader, 30)
        pods = {pod["metadata"]["name"] for pod in job.running_pods()}
        case.defer(lambda: wait_until("the operator", cluster.operator_ready, 120))
        case.defer(lambda: mend_leader(old))
        break_leader(old)
        before = case.committed_input()
        wait_until("another leader", lambda: cluster.leader() not in (None, old), 60)
        wait_until("commits meanwhile", lambda: case.committed_input() > before, 30)
        mend_leader(old)
        wait_until("both replicas", cluster.operator_ready, 120)
        assert cluster.leader() != old, "who lost the lease has it again"
        assert {pod["metadata"]["name"] for pod in job.running_pods()} == pods
    prove(case, job, check)


@pytest.mark.fault(17, "the leader's pod is deleted at once",
                   "another one leads; workers commit all the while; exact")
def test_leader_is_deleted(case, cluster, job):
    another_leads(case, cluster, job, 113, mend_leader=lambda _: None, break_leader=lambda pod:
                  cluster.kubectl.delete("pod", pod, SYSTEM, "--force", "--grace-period=0"))


@pytest.mark.fault(18, "the leader is stopped until its lease has run out, and woken",
                   "another one leads and keeps the lease; workers commit all the while; exact")
def test_leader_is_stopped(case, cluster, job):
    """Kubernetes may have ended the stopped one by then; what took its place is woken in vain."""
    another_leads(case, cluster, job, 115,
                  break_leader=lambda pod: cluster.pod_signal(SYSTEM, pod, "SIGSTOP"),
                  mend_leader=lambda pod: cluster.pod_signal(SYSTEM, pod, "SIGCONT"))


def test_no_operator(case, cluster, job):
    check = case.check()
    with job.under_load(seed=114, rate=RATE):
        deployment = cluster.kubectl.items("deployments", SYSTEM)[0]["metadata"]["name"]

        def scale(replicas):
            cluster.kubectl.run("scale", "deployment", deployment, "-n", SYSTEM,
                                f"--replicas={replicas}")
        case.defer(lambda: wait_until("the operator", cluster.operator_ready, 120))
        case.defer(lambda: scale(2))
        scale(0)
        wait_until("no operator", lambda: not cluster.operator_pods(), 90)
        for _ in range(3):
            before = case.committed_input()
            wait_until("commits without an operator", lambda b=before: case.committed_input() > b, 30)
        assert len(job.running_pods()) == 2
        scale(2)
        job.patch(replicas=1)
        job.wait_workers(1)
    prove(case, job, check)
