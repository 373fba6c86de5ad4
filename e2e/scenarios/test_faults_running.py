# SPDX-License-Identifier: Apache-2.0
"""What befalls the control plane, and what a running job notices of it: nothing.

Both replicas of the operator talk to the API server by way of a proxy. Cases of docs/operations/faults.md:
- 11 a watch that is open and silent (long)
- 13, 17, 18, 19 one running job through it all: the API server is killed; a second leader is made by a
  lie; the leader is told to go; the leader is stopped longer than its lease and woken: workers commit all
  the while, no pod is replaced, exact
- 29, 30, 32 an image that is not there, a pod no node can take, twenty edits in ten seconds (long)
- 78 a worker's node is cut off, then the job is rescaled (long)
"""
import json
import time

import pytest

from streamjob_e2e import api_proxy
from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.cluster_job import WORKER
from streamjob_e2e.faults import feed
from streamjob_e2e.proxied_operator import LEASES, WATCH_JOBS, restarts
from streamjob_e2e.waiting import wait_until

RATE = 3_000
AWAY = 60
SPEC_HASH = "streamjob.io/spec-hash"


@pytest.mark.long
@pytest.mark.fault(11, "a watch stays open and says nothing", "noticed within three minutes")
def test_silent_watch(operator, place):
    place().life()
    with operator.rules(operator.proxy.on_event(api_proxy.hold, WATCH_JOBS, times=2)) as rule:
        new = place().apply()
        rule.wait()
        new.wait_served(180)
        place().life(180)


def hand_over_seconds(operator, old, since):
    """From the old leader's last write of the lease, which gives it back, to the new one's first."""
    writes = [entry for entry in operator.proxy.seen("PUT|PATCH", LEASES, since)
              if 200 <= entry[3] < 300]
    given = max(when for when, _, _, _, who in writes if who == old)
    return min(when for when, _, _, _, who in writes if who != old and when > given) - given


def became_leader(operator, old, seconds=60):
    return wait_until("another leader", lambda: operator.leader() not in (None, old) and
                      operator.leader(), seconds)


def commits(case, times=2):
    for _ in range(times):
        before = case.committed_input()
        wait_until("commits meanwhile", lambda b=before: case.committed_input() > b, 30)


@pytest.mark.fault(13, "the API server is killed and started again",
                   "workers go on; edits are served after")
@pytest.mark.fault(17, "the leader is told to end", "another one leads within seconds")
@pytest.mark.fault(18, "the leader is stopped longer than its lease, and woken",
                   "it writes nothing more, ends, and starts again")
@pytest.mark.fault(19, "a replica is made to believe that the lease is its own: two leaders",
                   "harmless: the cluster ends as written, no worker is replaced")
def test_a_running_job_does_not_notice(case, cluster, operator, place, job, s3, everything):
    check = case.check()
    job.apply()
    job.wait_ready()
    pods = {pod["metadata"]["uid"] for pod in job.running_pods()}
    with feed(case, 241, RATE) as load:
        case.defer(lambda: cluster.part("start", "apiserver"))
        cluster.part("kill", "apiserver")
        away, read = time.monotonic(), case.committed_input()
        commits(case)
        while everything and time.monotonic() - away < AWAY:  # longer than a lease, and its renewal
            commits(case)
        assert case.committed_input() - read >= 100
        cluster.part("start", "apiserver")
        wait_until("the API server", lambda: cluster.kubectl.run("get", "--raw", "/readyz"), 90)
        wait_until("both replicas", cluster.operator_ready, 180)
        place().life(60)
        two_leaders(operator, place)
        wait_until("both replicas", cluster.operator_ready, 60)
        old = operator.leader()
        begun = time.monotonic()
        cluster.kubectl.delete("pod", old, SYSTEM)
        became_leader(operator, old, 120)
        if not everything:  # after a long absence of the API server a kubelet hears of it a minute later
            assert time.monotonic() - begun < 10
        assert hand_over_seconds(operator, old, begun) < 5
        wait_until("both replicas", cluster.operator_ready, 60)
        stopped_leader(case, operator, place)
        commits(case)
        load.end()
    case.wait_complete(check, 120)
    case.expect_exact(check)
    case.expect_restorable()
    job.wait_ready()
    assert {pod["metadata"]["uid"] for pod in job.running_pods()} == pods, "a worker was replaced"
    operator_logs = "".join(cluster.kubectl.run("logs", "-n", SYSTEM, pod["metadata"]["name"])
                            for pod in cluster.operator_pods())
    assert s3.secret not in operator_logs


def stopped_leader(case, operator, place):
    """SIGSTOP longer than the lease; then not one write of the old leader is done."""
    cluster, old = operator.cluster, operator.leader()
    before = restarts(operator)[old]
    case.defer(lambda: cluster.pod_signal(SYSTEM, old, "SIGCONT"))
    cluster.pod_signal(SYSTEM, old, "SIGSTOP")
    became_leader(operator, old)
    commits(case)
    woken = time.monotonic()
    cluster.pod_signal(SYSTEM, old, "SIGCONT")
    wait_until("the end of the old leader", lambda: restarts(operator)[old] > before, 60)
    late = operator.writes(woken, old)
    assert not late, f"the old leader wrote {late[:3]}"
    place().life(45)


def two_leaders(operator, place):
    """The standby reads a lease without holder and is told that its own write was done."""
    standby = operator.standby()
    assert standby
    before = restarts(operator)[standby]

    def free(lease):
        lease["spec"]["holderIdentity"] = ""

    def of_standby(request):
        return api_proxy.pod_of(request) == standby
    with operator.rules(operator.proxy.on(api_proxy.edit(free), "GET", LEASES, of_standby),
                        operator.proxy.on(api_proxy.pretend, "PUT", LEASES, of_standby)) as lies:
        lies[1].wait(2, 30)
        for _ in range(3):
            place().life(45)
        tried = operator.proxy.seen("POST|PUT|PATCH|DELETE", since=lies[1].taken[0][0], who=standby)
        assert [entry for entry in tried if "/leases" not in entry[2] and "/tokenreviews" not in entry[2]
                ], "the false leader did nothing: nothing is proved"
    wait_until("one leader again", lambda: operator.leader() and operator.leader() != standby, 60)
    wait_until("the end of the false leader", lambda: restarts(operator)[standby] > before, 120)


def nonces(job):
    """restartNonce of the specs that the running pods were started with."""
    specs = {}
    for manifest in job.kubectl.items("configmaps", job.namespace):
        spec_hash = manifest["metadata"].get("annotations", {}).get(SPEC_HASH)
        if spec_hash:
            specs[spec_hash] = json.loads(manifest["data"]["job.yaml"])["spec"]
    return {specs[pod["metadata"]["annotations"][SPEC_HASH]].get("restartNonce")
            for pod in job.running_pods()}


@pytest.mark.fault(29, "an image that is not there, then a good one", "heals without hands")
@pytest.mark.fault(30, "pods that no node can take, then smaller ones",
                   "told in words; heals without hands")
@pytest.mark.fault(32, "twenty edits in ten seconds",
                   "ends at the last one; no wave of pods for each")
@pytest.mark.long
def test_bad_edits(case, cluster, operator, job):
    check = case.check()
    resources = WORKER["resources"]
    job.apply(worker={**WORKER, "image": "localhost/streamjob-worker:nope", "resources": resources})
    job.wait_words("image")
    job.patch(worker={"image": None})
    job.wait_ready()
    job.patch(worker={"resources": {**resources, "requests": {"cpu": "900", "memory": "64Mi"}}})
    job.wait_words("cpu")
    job.patch(worker={"resources": resources})
    job.wait_ready()
    with feed(case, 242, RATE) as load:
        seen = set()
        for number in range(20):
            job.patch(restartNonce=number + 1)
            seen |= {pod["metadata"]["uid"] for pod in job.pods()}
            time.sleep(0.5)  # the pace is the point
        wait_until("the last edit to run", lambda: job.ready() and nonces(job) == {20}, 120)
        load.end()
    case.wait_complete(check, 120)
    case.expect_exact(check)
    seen |= {pod["metadata"]["uid"] for pod in job.pods()}
    assert len(seen) <= 2 * 12, f"{len(seen)} pods for twenty edits"


@pytest.mark.long
@pytest.mark.fault(78, "a worker's node is cut off, then the job is rescaled",
                   "the old worker is fenced before the new ones start; exact")
def test_rescale_without_a_worker(case, cluster, operator, job):
    check = case.check()
    job.apply()
    job.wait_ready()
    node = job.running_pods()[-1]["spec"]["nodeName"]
    with feed(case, 243, RATE) as load:
        job.wait_epochs(2)
        case.defer(lambda: wait_until("all nodes", cluster.nodes_ready, 90))
        case.defer(lambda: cluster.heal(node))
        cluster.cut(node)
        job.patch(replicas=1)
        wait_until("one worker, at work", lambda: job.ready() and job.status()["readyReplicas"] == 1, 180)
        commits(case)
        cluster.heal(node)
        load.end()
    case.wait_complete(check, 180)
    case.expect_exact(check)
    case.expect_restorable()
