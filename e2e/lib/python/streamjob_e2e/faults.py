# SPDX-License-Identifier: Apache-2.0
"""What the fault scenarios share: a job behind the proxies, and the oracles that judge it afterwards.

The oracles: O1 to O4 nothing lost, nothing duplicated, order kept, aggregates equal to the independent
recomputation; O5 what is committed can be restored; O11 no secret in a log; O12 exit codes as
documented; O13 progress while a fault is on that should be borne.
"""
import contextlib

from streamjob_e2e import environment, jobs
from streamjob_e2e.events import Shape
from streamjob_e2e.kafka_proxy import KafkaProxy
from streamjob_e2e.local_worker import OK
from streamjob_e2e.s3_proxy import S3Proxy
from streamjob_e2e.waiting import wait_until

RATE, SECONDS_MAX = 8_000, 600


@contextlib.contextmanager
def kafka_proxy(case):
    env = environment.exports(environment.script("kafka", "env"))
    with KafkaProxy(env["KAFKA_PROXY"], env["KAFKA_BEHIND"]) as proxy:
        case.collect_from(lambda: [("kafka-proxy.txt", lambda: list(proxy.history)[-5000:])])
        yield proxy


@contextlib.contextmanager
def s3_proxy(case):
    with S3Proxy(case.s3.endpoint) as proxy:
        case.collect_from(lambda: [("s3-proxy.txt", lambda: proxy.history[-5000:])])
        yield proxy


def feed(case, seed, rate=RATE, **shape):
    """Events for as long as a scenario takes, two windows a second; `end` is the scenario's to call. A
    fixed number would be over too early on a slow machine: a job without input ends no epoch."""
    return case.load(Shape(events=rate * SECONDS_MAX, span=SECONDS_MAX * 120_000, seed=seed, **shape),
                     rate=rate)


def job_behind(case, kafka=None, s3=None, interval="200ms", sink_options=None):
    """The manifest of the purchases query, by way of the proxies that are given."""
    sql = jobs.purchases_sql(kafka.bootstrap if kafka else case.kafka.bootstrap, case.source, case.sink,
                             None, sink_options)
    return case.job_file(sql=sql, checkpoint={
        "interval": interval, "location": f"s3://{case.s3.bucket}/local",
        "endpoint": s3.endpoint if s3 else case.s3.endpoint, "region": case.s3.region})


def commits_on(case, count=2, seconds=60):
    """Until the input's committed offsets have moved so often: whoever does it."""
    for _ in range(count):
        before = case.committed_input()
        wait_until("another commit", lambda b=before: case.committed_input() > b, seconds)


def put_object(s3, key, data):
    """Writes into the store, past the proxy and the worker."""
    import boto3  # pylint: disable=import-outside-toplevel # slow to load, seldom needed
    client = boto3.client("s3", endpoint_url=s3.endpoint, region_name=s3.region,
                          aws_access_key_id=s3.key, aws_secret_access_key=s3.secret)
    client.put_object(Bucket=s3.bucket, Key=key, Body=data)


def no_secret(case, workers):
    for worker in workers:
        log = worker.log()
        assert case.s3.secret not in log, f"the store's secret is in the log of {worker.name}"


def prove(case, *workers, seconds=120, stop=True):
    """O1 to O5, O11 and O12: the last worker runs on, delivers what is missing, and ends by itself."""
    check = case.check()
    case.wait_complete(check, seconds)
    if stop:
        assert workers[-1].stop() == OK
    case.expect_exact(check)
    assert case.expect_restorable(), "nothing is committed"
    no_secret(case, workers)
