# SPDX-License-Identifier: Apache-2.0
"""The operator is killed again and again while many jobs come, change and go. Case 2 of
docs/operations/faults.md.

1. one job runs under load all the while; nobody touches it
2. for a minute or more a user makes, edits, scales, suspends, resumes and deletes twenty others, by a seed; a few
   of them run, the others are suspended: the operator does everything for them but start pods. In the
   end four are to run
3. meanwhile replicas of the operator are killed with SIGKILL every 1 to 5 s, the leader more often than
   not; what was killed comes back as a new pod
4. after the last kill: every job is as the user wrote it and runs if it is to; no object of a living job
   was deleted or made anew; nothing is left of the deleted ones; then nothing more is written
5. the untouched job kept its pods, and its output is exact
"""
import collections
import random
import re
import subprocess
import threading
import time

import pytest

from streamjob_e2e import jobs
from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.cluster_job import WORKER
from streamjob_e2e.faults import commits_on, feed
from streamjob_e2e.kubectl import condition, condition_text
from streamjob_e2e.proxied_operator import CHILDREN
from streamjob_e2e.waiting import NotYet, wait_until

SECONDS, JOBS, RATE, SEED = 60, 20, 3_000, 245
RUNNING_MAX, REPLICAS_MAX = 4, 2  # three nodes on one machine
ACTS = ("edit", "edit", "scale", "scale", "turn", "turn", "delete")
MANAGED_BY = ("app.kubernetes.io/managed-by", "streamjob-operator")
LEASE = "leases.coordination.k8s.io"


class Churn:
    """The user. `wanted` is what was written last: spec by name, without those that were deleted."""

    def __init__(self, job, topic):
        self.kubectl, self.namespace = job.kubectl, job.namespace
        self.wanted, self.done = {}, collections.Counter()
        self._random, self._nonce = random.Random(SEED), 0
        self._checkpoint = job.checkpoint()
        read = {**jobs.INPUT_OPTIONS, "topic": topic,
                "properties.bootstrap.servers": job.case.kafka.pod_bootstrap}
        self._sql = f"""CREATE TABLE a (k STRING) WITH ({jobs.options(read)});
CREATE TABLE b (k STRING) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT k FROM a"""
        self._names = [f"churn-{number:02}" for number in range(JOBS)]
        self._objects = {}  # (UID of the job, kind, name) -> UIDs seen

    def begin(self):
        for name in self._names:
            self._create(name)

    def act(self):
        """One act on one job."""
        name = self._random.choice(self._names)
        act = self._random.choice(ACTS) if name in self.wanted else "create"
        getattr(self, f"_{act}")(name)

    def enough(self):
        """Each act was done, and jobs went and came."""
        return set(self.done) == {"create", *ACTS} and self.done["delete"] >= 2

    def settle(self):
        """The last acts: so many of the survivors are to run as may, the others are not."""
        for number, name in enumerate(sorted(self.wanted)):
            self._patch(name, "turn", state="Running" if number < RUNNING_MAX else "Suspended")

    def end(self):
        """Before the namespace: finalizers need the operator."""
        self.kubectl.run("delete", "streamjobs", "--all", "-n", self.namespace, "--wait=false")

    def _state(self):
        running = sum(spec["state"] == "Running" for spec in self.wanted.values())
        return self._random.choice(["Running", "Suspended"]) if running < RUNNING_MAX else "Suspended"

    def _create(self, name):
        if self.kubectl.get("streamjob", name, self.namespace) is not None:
            return  # the one of that name is still on its way out
        spec = {"state": self._state(), "replicas": 1, "restartNonce": 0}
        self.kubectl.apply(jobs.manifest(name, self._sql, self._checkpoint, self.namespace,
                                         worker=WORKER, **spec))
        self.wanted[name] = spec
        self.done["create"] += 1

    def _patch(self, name, act, **change):
        self.kubectl.patch("streamjob", name, self.namespace, {"spec": change})
        self.wanted[name].update(change)
        self.done[act] += 1

    def _edit(self, name):
        self._nonce += 1
        self._patch(name, "edit", restartNonce=self._nonce)

    def _scale(self, name):
        self._patch(name, "scale", replicas=1 + self.wanted[name]["replicas"] % REPLICAS_MAX)

    def _turn(self, name):
        running = self.wanted[name]["state"] == "Running"
        self._patch(name, "turn", state="Suspended" if running else self._state())

    def _delete(self, name):
        self.kubectl.delete("streamjob", name, self.namespace)
        del self.wanted[name]
        self.done["delete"] += 1

    # --- what there is ----------------------------------------------------------------------------

    def look(self):
        """Remembers the objects of each job: one that is made anew shows by a second UID."""
        for thing in self.kubectl.items(CHILDREN, self.namespace):
            for owner in thing["metadata"].get("ownerReferences", []):
                key = owner["uid"], thing["kind"], thing["metadata"]["name"]
                self._objects.setdefault(key, set()).add(thing["metadata"]["uid"])

    def replaced(self):
        return [key for key, uids in self._objects.items() if len(uids) > 1]

    def as_written(self):
        """True when the API server has the jobs as the user wrote them, served."""
        found = {job["metadata"]["name"]: job
                 for job in self.kubectl.items("streamjobs", self.namespace)}
        wrong = [f"{name}: {condition_text(found.get(name)) or 'not there'}"
                 for name, spec in self.wanted.items() if not is_served(found.get(name), spec)]
        wrong += [f"{name}: still there" for name in self._names
                  if name in found and name not in self.wanted]
        return not wrong or NotYet("; ".join(wrong))

    def left_over(self):
        """Objects whose job is gone: children of none that is there, or ours without an owner."""
        things = self.kubectl.items(f"streamjobs,pods,{CHILDREN}", self.namespace)
        there = {thing["metadata"]["uid"] for thing in things}
        key, value = MANAGED_BY
        found = []
        for thing in things:
            owners = {owner["uid"] for owner in thing["metadata"].get("ownerReferences", [])}
            ours = thing["metadata"].get("labels", {}).get(key) == value
            if (owners or ours) and not owners & there:
                found.append((thing["kind"], thing["metadata"]["name"]))
        return found


def is_served(job, spec):
    """The job has this very spec, and it is brought about."""
    status = (job or {}).get("status", {})
    if job is None or "deletionTimestamp" in job["metadata"] or any(
            job["spec"].get(field) != value for field, value in spec.items()):
        return False
    if status.get("observedGeneration") != job["metadata"]["generation"]:
        return False
    if spec["state"] == "Suspended":
        return status.get("phase") == "Suspended" and not status.get("replicas")
    settled = not condition(job, "Reconciling") and "change" not in status
    workers = status.get("generation", {}).get("replicas"), status.get("readyReplicas")
    return (settled and condition(job, "Ready").get("status") == "True" and
            workers == (spec["replicas"], spec["replicas"]))


class Killer:
    """Kills replicas of the operator while it is entered.

    A killed pod is deleted too, so that the next one comes without a back-off, and its lease is freed:
    else hardly ever anybody would lead, and nobody would be killed in the middle of something.
    """

    def __init__(self, cluster):
        self.cluster, self.kills, self.leaders = cluster, 0, 0
        self._random, self._stop = random.Random(SEED), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(120)

    def _run(self):
        while not self._stop.wait(self._random.uniform(1, 5)):
            try:
                self._kill()
            except (AssertionError, subprocess.TimeoutExpired):
                continue  # the one chosen has just ended; the scenario counts those that were met

    def _running(self):
        return [pod["metadata"]["name"] for pod in self.cluster.operator_pods()
                if "deletionTimestamp" not in pod["metadata"] and
                any("running" in c["state"] for c in pod["status"].get("containerStatuses", []))]

    def _kill(self):
        pods, leader = self._running(), self.cluster.leader()
        if not pods:
            return
        victim = self._random.choice(pods)
        if leader in pods and self._random.random() < 0.6:
            victim = leader
        self.cluster.pod_signal(SYSTEM, victim, "SIGKILL")
        self.kills += 1
        self.leaders += victim == leader
        self._free_lease(victim)
        self.cluster.kubectl.delete("pod", victim, SYSTEM, "--force", "--grace-period=0")

    def _free_lease(self, pod):
        """As long as it is that pod's: the version is a precondition."""
        for lease in self.cluster.kubectl.items(LEASE, SYSTEM):
            if (lease["spec"].get("holderIdentity") or "").startswith(pod):
                version = lease["metadata"]["resourceVersion"]
                self.cluster.kubectl.patch(LEASE, lease["metadata"]["name"], SYSTEM, {
                    "metadata": {"resourceVersion": version}, "spec": {"holderIdentity": ""}})


def removed(operator, since):
    """Objects of which a job has one for its life, deleted by the operator."""
    kinds = r"/(streamjobs|statefulsets|services|serviceaccounts|poddisruptionbudgets)/"
    return [entry for entry in operator.proxy.seen("DELETE", kinds, since) if 200 <= entry[3] < 300]


def wrote_children(operator, since):
    return [entry for entry in operator.writes(since)
            if re.search(r"/(statefulsets|services|pods)/", entry[2])]


@pytest.mark.long
@pytest.mark.fault(2, "replicas of the operator are killed every 1 to 5 s while twenty jobs are made, "
                      "edited, scaled, suspended and deleted",
                   "the cluster ends as written; nothing living is deleted or made anew, nothing is left "
                   "over; a running job keeps its pods; exact")
def test_operator_is_killed_under_churn(case, cluster, operator, job):
    check = case.check()
    job.apply()
    job.wait_ready()
    pods = {pod["metadata"]["uid"] for pod in job.running_pods()}
    churn, begun = Churn(job, case.topic(f"{case.name}-none", 4)), time.monotonic()
    case.collect_from(lambda: [("api-proxy.txt", lambda: operator.proxy.history[-5000:])])
    case.defer(churn.end)
    case.defer(lambda: wait_until("the operator", cluster.operator_ready, 120))
    with feed(case, SEED, RATE) as load:
        with Killer(cluster) as killer:
            churn.begin()
            while time.monotonic() - begun < SECONDS or (
                    not churn.enough() and time.monotonic() - begun < 3 * SECONDS):
                churn.act()
                churn.look()
            churn.settle()
        written = len(operator.writes(begun))
        wait_until("both replicas", cluster.operator_ready, 120)
        wait_until("the cluster as written", churn.as_written, 240, 1)
        wait_until("nothing to be left over",
                   lambda: not churn.left_over() or NotYet(str(churn.left_over())), 90, 1)
        churn.look()
        wait_until("the last write to a child",
                   lambda: not wrote_children(operator, time.monotonic() - 10), 90, 1)
        commits_on(case)
        load.end()
    assert killer.kills >= SECONDS // 8 and killer.leaders >= 2, f"{killer.kills}, {killer.leaders}"
    assert churn.enough(), churn.done
    assert written > 2 * JOBS, f"the operator wrote {written} times: it hardly lived"
    assert len(churn.wanted) >= RUNNING_MAX, f"only {sorted(churn.wanted)} survived"
    assert not churn.replaced(), f"made anew: {churn.replaced()}"
    assert not removed(operator, begun), removed(operator, begun)[:5]
    case.wait_complete(check, 120)
    case.expect_exact(check)
    case.expect_restorable()
    assert {pod["metadata"]["uid"] for pod in job.running_pods()} == pods, "a worker was replaced"
