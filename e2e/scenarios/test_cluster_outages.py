# SPDX-License-Identifier: Apache-2.0
"""Kafka, S3 or the operator away: the job goes on or resumes by itself, exact.

1. the broker is killed with SIGKILL and started again on its data
2. S3 stands still for 30 s (short: 10 s); meanwhile nothing is committed, and the status says so
3. the operator's leader is killed: the other replica leads; workers commit all the while
4. both replicas are away: workers commit all the while; then an edit is served
"""
import time

import pytest

from streamjob_e2e import loadgen
from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.events import Shape
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
    job.apply()
    job.wait_ready()
    with case.load(Shape(events=loadgen.LONG * RATE, seed=111), rate=RATE) as load:
        job.wait_epochs(2)
        case.defer(kafka.start)
        kafka.kill()
        stays_true("the workers' life without Kafka", lambda: len(job.running_pods()) == 2, 3)
        kafka.start()
        load.end()
    prove(case, job, check)


@pytest.mark.fault(87, "S3 stands still under a job", "no commit without a checkpoint; resumes; exact")
def test_s3_stands_still(case, s3, job, everything):
    seconds = 30 if everything else 10
    check = case.check()
    job.apply()
    job.wait_ready()
    with case.load(Shape(events=loadgen.LONG * RATE, seed=112), rate=RATE) as load:
        job.wait_epochs(2)
        case.defer(s3.resume)
        s3.pause()
        paused_at = time.monotonic()
        before = settled(case.committed_input)  # an upload under way may still be committed
        stays_true("no commit without a checkpoint", lambda: case.committed_input() == before,
                   seconds - (time.monotonic() - paused_at), 1)
        s3.resume()
        job.wait_epochs(2)
        load.end()
    prove(case, job, check)


@pytest.mark.fault(17, "the leader's pod is killed at once",
                   "another one leads; workers commit all the while; exact")
def test_leader_is_killed(case, cluster, job):
    check = case.check()
    job.apply()
    job.wait_ready()
    with case.load(Shape(events=loadgen.LONG * RATE, seed=113), rate=RATE) as load:
        job.wait_epochs(2)
        old = wait_until("a leader", cluster.leader, 30)
        pods = {pod["metadata"]["name"] for pod in job.running_pods()}
        case.defer(lambda: wait_until("the operator", cluster.operator_ready, 120))
        cluster.kubectl.delete("pod", old, SYSTEM, "--force", "--grace-period=0")
        before = case.committed_input()
        new = wait_until("another leader", lambda: cluster.leader() not in (None, old) and
                         cluster.leader(), 60)
        assert new != old
        wait_until("commits meanwhile", lambda: case.committed_input() > before, 30)
        load.end()
        assert {pod["metadata"]["name"] for pod in job.running_pods()} == pods
    prove(case, job, check)


def test_no_operator(case, cluster, job):
    check = case.check()
    job.apply()
    job.wait_ready()
    with case.load(Shape(events=loadgen.LONG * RATE, seed=114), rate=RATE) as load:
        job.wait_epochs(2)
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
        load.end()
    prove(case, job, check)
