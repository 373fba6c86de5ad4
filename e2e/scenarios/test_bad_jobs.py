# SPDX-License-Identifier: Apache-2.0
"""A job that cannot run says what is wrong and where, and changes nothing.

On `streamjob-worker run`: unknown option (exit 2, no network), missing input topic, missing output
topic, wrong S3 secret, missing bucket, unreachable broker. The secret is never in the log.
"""
import secrets

import pytest

from streamjob_e2e import jobs
from streamjob_e2e.local_worker import USAGE
from streamjob_e2e.waiting import wait_until


def told(worker, *words, seconds=60):
    """Waits until all words were said, wherever; returns the log."""
    return wait_until(f"the words {words} in the log",
                      lambda: all(word in worker.log() for word in words) and worker.log(), seconds)


def test_unknown_option(case):
    job = case.job_file(source_options={"scan.startup.mod": "earliest-offset"})
    worker = case.worker("worker", job)
    assert worker.wait(20) == USAGE
    told(worker, "scan.startup.mod", "scan.startup.mode", seconds=1)


@pytest.mark.parametrize("missing", ["source", "sink"])
def test_missing_topic(case, missing):
    there = case.sink if missing == "source" else case.source
    case.topic(there, 2)
    worker = case.worker("worker", case.job_file())
    told(worker, case.source if missing == "source" else case.sink)
    assert "topic" in worker.log()


def test_wrong_s3_secret(case):
    case.topics()
    wrong = "wrong-" + secrets.token_hex(12)
    worker = case.worker("worker", case.job_file(), env={"AWS_SECRET_ACCESS_KEY": wrong})
    log = told(worker, "s3://streamjob", "the access key or secret is wrong")
    assert wrong not in log and case.s3.secret not in log


def test_missing_bucket(case):
    case.topics()
    worker = case.worker("worker", case.job_file(checkpoint={
        "interval": "200ms", "location": "s3://no-such-bucket/x", "endpoint": case.s3.endpoint,
        "region": case.s3.region}))
    told(worker, "no-such-bucket")


def test_unreachable_broker(case):
    sql = jobs.purchases_sql("127.0.0.1:9", case.source, case.sink)
    worker = case.worker("worker", case.job_file(sql=sql))
    told(worker, "127.0.0.1:9", seconds=90)
