# SPDX-License-Identifier: Apache-2.0
"""A lag spike in the cluster: scaled out and back by the operator, exact all the while.

1. the job has no replicas in its spec and runs with one worker
2. events come faster than it is asked to be busy: the status says why more workers are needed, the
   decision is stored, and they run
3. the events end: after its window the operator goes back to one worker
4. input and output are compared by the checker; the spec was not written
The windows are short ones of the spec. A worker reads a million plain events a second, so the query is made
costly: a filter of many hashes that every event passes.
"""
import pytest

from streamjob_e2e import jobs
from streamjob_e2e.events import Shape
from streamjob_e2e.waiting import wait_until

AUTOSCALING = {"enabled": True, "minReplicas": 1, "maxReplicas": 4, "targetUtilization": "0.3",
               "catchUp": "30s", "scaleUpAfter": "5s", "scaleDownAfter": "15s"}
RATE, SECONDS = 12_000, 45
HASHES, FILTERS = 25, 4


def costly_sql(case):
    """The purchases query; each event is hashed a hundred times first."""
    def hashed(salt):
        text = f"user_id || '{salt}'"
        for _ in range(HASHES):
            text = f"SHA256({text})"
        return f"CHAR_LENGTH({text}) = 64"
    plain = "event_type = 'purchase'"
    sql = jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, case.sink)
    assert plain in sql
    return sql.replace(plain, " AND ".join([*map(hashed, range(FILTERS)), plain]))


class Seen:
    """True when the workers are `wanted`; prints as the autoscaler's own words."""

    def __init__(self, job, wanted):
        status = job.status()
        scaling = status.get("autoscaling", {})
        self.text = f"{scaling.get('veto')}: {scaling.get('message')}"
        current = status.get("generation", {}).get("replicas", 0)
        self.yes = wanted(scaling.get("decision", 0)) and wanted(current) and wanted(
            len(job.running_pods()))

    def __bool__(self):
        return self.yes

    def __repr__(self):
        return self.text


@pytest.mark.long  # the way back takes twenty pauses of a rescale, as measured on this machine
def test_lag_spike(case, job):
    check = case.check()
    job.apply(costly_sql(case), replicas=None, autoscaling=AUTOSCALING)
    job.wait_ready()
    with case.load(Shape(events=RATE * SECONDS, seed=601), rate=RATE) as load:
        wait_until("more workers", lambda: Seen(job, lambda count: count >= 2), 75, 0.5)
        load.finish()
    wait_until("one worker again", lambda: Seen(job, lambda count: count == 1), 400, 0.5)
    case.wait_complete(check, 60)
    case.expect_exact(check)
    case.expect_restorable()
    job.wait_ready()
    assert "replicas" not in job.get()["spec"], "the operator wrote the user's spec"
    events = job.status()["autoscaling"]["history"]
    assert events[0]["reason"] == "ScaleUp" and events[-1]["reason"] == "ScaleDown", events
    assert all(event["applied"] for event in events), events
    assert events[0]["pauseMs"] > 0, "the rescale was not measured"
    assert len(events) <= 5, f"it flaps: {events}"
