# SPDX-License-Identifier: Apache-2.0
"""The life of a StreamJob: suspend, resume, rescale, change, complete, delete.

1. suspend: workers commit a last epoch and go; events wait; resume: goes on there, exact
2. replicas 2 -> 3 -> 1 under load: exact
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

from streamjob_e2e import topics
from streamjob_e2e.environment import ROOT
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import stays_true, wait_until

RATE = 5_000


def prove(case, check, seconds=180, finished=False):
    case.wait_complete(check, seconds, finished)
    case.expect_exact(check, finished)
    case.expect_restorable()


@pytest.mark.fault(31, "a job is suspended and resumed under load", "goes on exactly where it was")
def test_suspend_and_resume(case, job):
    check = case.check()
    with job.under_load(seed=121, rate=RATE, epochs=3) as load:
        job.patch(state="Suspended")
        job.wait_phase("Suspended")
        assert not job.pods()
        assert not topics.open_transactions(case.kafka.bootstrap, case.sink)
        before = case.committed()
        stays_true("the standstill", lambda: not job.pods() and case.committed() == before, 5)
        load.end()
    case.expect_restorable()
    job.patch(state="Running")
    job.wait_ready()
    prove(case, check)


@pytest.mark.fault(77, "rescales 2, 3, 1 under load", "exact")
def test_rescale(case, job):
    check = case.check()
    with job.under_load(seed=122, rate=RATE):
        for replicas in (3, 1):
            job.patch(replicas=replicas)
            job.wait_workers(replicas)
            job.wait_epochs(2)
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
