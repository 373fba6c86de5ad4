# SPDX-License-Identifier: Apache-2.0
"""A manifest that cannot work: the status says what and where in words, and heals when mended.

1. what the API server refuses at once: unknown field, both sql and sqlFrom, replicas -1
2. SQL error, unknown option, missing topic, wrong S3 secret, missing Secret, unreachable broker: a
   condition names it; no secret is shown anywhere; nothing is written
3. the missing topic is made, the Secret mended: the job runs, without another edit
"""
import secrets

import pytest

from streamjob_e2e import jobs, topics
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.events import Shape
from streamjob_e2e.kubectl import KubectlError


@pytest.mark.parametrize("spec,word", [
    ({"replicaz": 2}, "replicaz"), ({"replicas": -1}, "replicas"),
    ({"sqlFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}, "exactly one of sql and sqlFrom"),
    ({"state": "Paused"}, "Paused"), ({"shards": 3}, "power of two")],
    ids=["field", "replicas", "two-sqls", "state", "shards"])
def test_refused_by_the_schema(cluster, spec, word):
    job = jobs.manifest("bad", "SELECT 1", {"location": "s3://streamjob/x"}, "default", **spec)
    with pytest.raises(KubectlError, match=word):
        cluster.kubectl.run("apply", "--dry-run=server", "--validate=strict", "-f", "-",
                            stdin=jobs.dump(job))


def test_sql_error(case, job):
    sql = jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, case.sink)
    job.apply(sql=sql.replace("SELECT user_id", "SELECT user_idd"))
    text = job.wait_words("user_idd")
    assert any(char.isdigit() for char in text), f"no position: {text}"
    job.patch(sql=sql)
    job.wait_ready()


def test_unknown_option(case, job):
    job.apply(source_options={"scan.startup.mod": "earliest-offset"})
    job.wait_words("scan.startup.mod")


def test_missing_topic(case, cluster):
    """The input topic appears later."""
    case.topic(case.sink, 4)
    job = ClusterJob(case, cluster)
    job.secret()
    job.apply()
    job.wait_words(case.source, "topic")
    case.topic(case.source)
    check = case.check()
    case.write(Shape(events=20_000, seed=131))
    job.wait_ready()
    case.wait_complete(check)
    case.expect_exact(check)


def test_wrong_s3_secret(case, cluster, job, everything):
    wrong = "wrong-" + secrets.token_hex(12)
    job.secret(AWS_SECRET_ACCESS_KEY=wrong)
    job.apply()
    text = job.wait_words("s3://streamjob")
    assert "denied" in text.lower() or "key" in text.lower(), text
    shown = cluster.kubectl.run("get", "streamjobs,events,configmaps,statefulsets,pods", "-n",
                                job.namespace, "-o", "yaml")
    logs = "".join(cluster.kubectl.run("logs", "-n", job.namespace, pod["metadata"]["name"])
                   for pod in job.running_pods())
    assert wrong not in shown + logs and case.s3.secret not in shown + logs
    assert not any(topics.ends(case.kafka.bootstrap, case.sink, False).values())
    if everything:  # a mounted Secret takes a minute or more to change
        job.secret()
        job.wait_ready(240)


def test_missing_secret(case, cluster):
    case.topics()
    job = ClusterJob(case, cluster)
    job.apply()
    job.wait_words("secret")


def test_unreachable_broker(case, job):
    job.apply(sql=jobs.purchases_sql("10.240.9.9:9092", case.source, case.sink))
    job.wait_words("10.240.9.9:9092", seconds=150)
