# SPDX-License-Identifier: Apache-2.0
"""Edits of a running StreamJob: looked at before anything stops, and taken back when they fail.

1. other SQL and other settings under load: a worker accepts them first; exact
2. SQL that does not parse, state that does not fit, a topic that is not there: the job runs on, the
   same pods, no gap in its epochs; the topic is made: the edit goes on by itself
3. an image that exits at once: back to the last stable spec within two minutes, exact; a mended spec
   leaves the rollback
4. paused by annotation: an edit waits, and goes on when the pause ends by itself
"""
import datetime

from streamjob_e2e import broken_image, jobs
from streamjob_e2e.events import Shape
from streamjob_e2e.kubectl import condition
from streamjob_e2e.waiting import stays_true, wait_until

RATE = 3_000
SOON = {"rollback": "Auto", "stableAfter": "5s"}


def prove(case, check):
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()


def sql_of(case, source=None, **changes):
    sql = jobs.purchases_sql(case.kafka.pod_bootstrap, source or case.source, case.sink)
    for old, new in changes.values():
        assert old in sql
        sql = sql.replace(old, new)
    return sql


def uids(job):
    return {pod["metadata"]["uid"] for pod in job.pods()}


def reasons(job):
    return [event["reason"] for event in job.kubectl.items("events", job.namespace)
            if event["involvedObject"]["kind"] == "StreamJob"]


def is_true(job, kind):
    return condition(job.get(), kind).get("status") == "True"


def test_sql_and_settings_under_load(case, job):
    check = case.check()
    with job.under_load(seed=141, rate=RATE, rollout=SOON):
        before = uids(job)
        job.patch(sql=sql_of(case, upper=("event_type = 'purchase'",
                                          "event_type = 'purchase' AND user_id <> 'nobody'")))
        wait_until("new pods", lambda: job.ready() and not before & uids(job), 90)
        assert "ChangeAccepted" in reasons(job)
        job.wait_epochs(2)
        before = uids(job)
        job.patch(checkpoint={"interval": "300ms"}, worker={"threads": 2})
        wait_until("new pods", lambda: job.ready() and not before & uids(job), 90)
    prove(case, check)


def test_a_bad_edit_stops_nothing(case, job):
    check = case.check()
    later = f"{case.name}-later"
    with job.under_load(seed=142, rate=RATE):
        before, generation = uids(job), job.status()["generation"]["number"]
        for sql, word in (
                (sql_of(case, typo=("COUNT(*)", "COUNTT(*)")), "COUNTT"),
                (sql_of(case, key=("INTERVAL '1' MINUTE", "INTERVAL '2' MINUTE")), "size=120000"),
                (sql_of(case, sink=(case.sink, later)), later)):
            job.patch(sql=sql)
            text = job.wait_words(word, "SpecValid=False", seconds=30)
            assert is_true(job, "Ready") and is_true(job, "Stalled"), text
            job.wait_epochs(2, 20)
        assert uids(job) == before and job.status()["phase"] == "Running"
        assert job.status()["generation"]["number"] == generation
        assert reasons(job).count("ChangeRefused") >= 1 and "Draining" not in reasons(job)
        case.topic(later, 4)  # what the last edit lacked
        wait_until("the mended edit to run", lambda: job.ready() and not before & uids(job), 90)
        job.patch(sql=sql_of(case))
        wait_until("the first SQL again", lambda: job.ready() and not job.status().get("change"), 90)
    assert check.read_output() > 0


def test_a_spec_that_crashes_is_rolled_back(case, job):
    broken_image.load()
    check = case.check()
    with job.under_load(seed=143, rate=RATE, rollout=SOON):
        wait_until("a stable spec", lambda: job.status().get("stable"), 60)
        first = job.status()["stable"]["specHash"]
        job.patch(worker={"image": broken_image.BROKEN})
        wait_until("the rollback", lambda: is_true(job, "RolledBack"), 120)
        wait_until("the stable spec to run", lambda: job.ready() and
                   job.status()["generation"]["specHash"] == first, 60)
        rolled_back = condition(job.get(), "RolledBack")
        assert rolled_back["reason"] in ("CrashLoopBackOff", "Error"), rolled_back
        assert is_true(job, "Stalled") and "RolledBack" in reasons(job)
        assert job.get()["spec"]["worker"]["image"] == broken_image.BROKEN, "the user's spec was written"
        job.wait_epochs(2)
        job.patch(worker={"image": None}, checkpoint={"interval": "400ms"})
        wait_until("the mended spec to run", lambda: job.ready() and
                   job.status()["generation"]["specHash"] != first, 90)
        assert not condition(job.get(), "RolledBack") and not condition(job.get(), "Stalled")
    prove(case, check)


def test_pause(case, job):
    check = case.check()
    job.apply()
    job.wait_ready()
    case.write(Shape(events=20_000, seed=144))
    before = uids(job)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=12)
    job.kubectl.run("annotate", "sj", job.name, "-n", job.namespace,
                    "streamjob.io/pause-reconcile=broker maintenance",
                    f"streamjob.io/pause-until={until:%Y-%m-%dT%H:%M:%SZ}")
    wait_until("Paused", lambda: is_true(job, "Paused"), 20)
    job.patch(restartNonce=1)
    stays_true("the pause", lambda: uids(job) == before and is_true(job, "Ready"), 5)
    wait_until("the restart after the pause",
               lambda: job.ready() and not before & uids(job), 90)
    assert not condition(job.get(), "Paused")
    prove(case, check)
