# SPDX-License-Identifier: Apache-2.0
"""Kafka or S3 away for a while under a running worker: it goes on by itself, exact.

- S3 stopped (SIGSTOP: requests hang) and killed (connections refused); no epoch commits meanwhile
- the only broker killed with SIGKILL and started again on its data
- kill -9 of the worker at random moments
Each: the worker is the same process before and after, unless it was the victim.
"""
import random
import time

import pytest

from streamjob_e2e.faults import feed
from streamjob_e2e.local_worker import OK
from streamjob_e2e.waiting import stays_true


def run_on(case, worker, load):
    load.end()
    check = case.check()
    case.wait_complete(check, 180)
    assert worker.stop() == OK
    case.expect_exact(check)
    case.expect_restorable()


@pytest.mark.fault(87, "S3 hangs, or refuses connections",
                   "no commit meanwhile; the same process goes on; exact")
@pytest.mark.parametrize("how", ["pause", "kill"])
def test_s3_is_away(case, s3, everything, how):
    case.topics()
    job = case.job_file()
    seconds = 30 if everything else 8
    with feed(case, 31, 15_000) as load:
        worker = case.worker("worker", job)
        worker.wait_running()
        worker.wait_epochs(2)
        back = s3.resume if how == "pause" else s3.start
        case.defer(back)
        (s3.pause if how == "pause" else s3.kill)()
        away_at = worker.status()["epoch"]
        stays_true("the worker's life without S3", worker.running, seconds)
        assert worker.status()["epoch"] <= away_at + 1, "an epoch was committed without its checkpoint"
        back()
        worker.wait_epochs(2, 90)
        run_on(case, worker, load)


@pytest.mark.fault(63, "the only broker is killed and started again", "the same process goes on; exact")
def test_broker_is_killed(case, kafka):
    case.topics()
    job = case.job_file()
    with feed(case, 32, 10_000) as load:
        worker = case.worker("worker", job)
        worker.wait_running()
        worker.wait_epochs(2)
        case.defer(kafka.start)
        kafka.kill()
        stays_true("the worker's life without Kafka", worker.running, 3)
        kafka.start()
        worker.wait_epochs(2, 120)
        run_on(case, worker, load)


@pytest.mark.fault(46, "the worker is killed at random moments", "exact")
def test_kill_at_random(case, everything):
    case.topics()
    job = case.job_file()
    rng, kills = random.Random(33), 20 if everything else 5
    with feed(case, 33, 15_000) as load:
        for number in range(kills):
            worker = case.worker(f"worker-{number}", job)
            worker.wait_running()
            time.sleep(rng.uniform(0.0, 2.0))  # the moment is the point
            worker.kill()
        worker = case.worker("last", job)
        worker.wait_running()
        run_on(case, worker, load)
