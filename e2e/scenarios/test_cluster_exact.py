# SPDX-License-Identifier: Apache-2.0
"""Purchases per minute in the cluster: exact, whatever is killed, cut or stopped.

Each scenario: the job runs with 2 workers on three nodes, over 8 input partitions; events come in, out
of order within the watermark; input and output are compared by the checker: nothing lost, duplicated,
wrong or unexpected; the committed offsets name restorable checkpoints.
1. nothing is broken: 2 million events
2. random workers are killed with SIGKILL
3. the node of a worker loses its network, and gets it back
4. that node stays away until its worker runs elsewhere
5. a worker is stopped; its pod is replaced; it is woken: it ends by itself and commits nothing
6. a stranger takes a worker's transactional ids over, again and again: the status names its exit code
"""
import os
import random
import signal
import time

import pytest
from confluent_kafka import Producer

from streamjob_e2e.events import Shape
from streamjob_e2e.kubectl import condition, condition_text
from streamjob_e2e.local_worker import FENCED
from streamjob_e2e.pod_process import pid_of
from streamjob_e2e.waiting import NotYet, stays_true, wait_until


def prove(case, job, check, seconds=180):
    case.wait_complete(check, seconds)
    case.expect_exact(check)
    case.expect_restorable()
    job.wait_ready()


def test_main_job(case, job):
    check = case.check()
    with case.load(Shape(events=2_000_000, seed=101)) as load:
        job.apply()
        job.wait_ready()
        load.finish()
    prove(case, job, check, 300)
    nodes = {pod["spec"]["nodeName"] for pod in job.running_pods()}
    assert len(job.running_pods()) == 2 and nodes
    assert job.status()["readyReplicas"] == 2
    # A number alone is written once a minute, and what the workers report is some seconds old.
    wait_until("no lag in the status", lambda: job.status().get("lag", {}).get("records") == 0, 80)


class Killer:
    """Ends one worker after the other, each a process that has not been struck yet."""
    RESTARTS_MAX = 3  # behind those the kubelet waits ever longer, up to five minutes; a new pod does not

    def __init__(self, cluster, job, rng):
        self.cluster, self.job, self.rng = cluster, job, rng
        self.struck = set()

    def _living(self):
        return [(pod["metadata"]["name"], container) for pod in self.job.running_pods()
                for container in pod["status"]["containerStatuses"]
                if "running" in container["state"] and container["containerID"] not in self.struck]

    def strike(self):
        name, container = self.rng.choice(wait_until(
            f"a running worker for kill {len(self.struck) + 1}", self._living, 90))
        self.struck.add(container["containerID"])
        if container["restartCount"] < self.RESTARTS_MAX:
            self.cluster.pod_signal(self.job.namespace, name, "SIGKILL")
        else:
            self.cluster.kubectl.delete("pod", name, self.job.namespace, "--force", "--grace-period=0")


@pytest.mark.fault(46, "random workers of a job are killed", "exact")
def test_workers_are_killed(case, cluster, job, everything):
    kills, pause = (20, (5.0, 15.0)) if everything else (5, (3.0, 7.0))
    rng, rate = random.Random(102), 6_000
    events = int(rate * (kills * sum(pause) / 2 + 10))
    check = case.check()
    job.apply()
    job.wait_ready()
    with case.load(Shape(events=events, seed=102), rate=rate) as load:
        killer = Killer(cluster, job, rng)
        for _ in range(kills):
            time.sleep(rng.uniform(*pause))  # the moment is the point
            killer.strike()
        load.finish()
    prove(case, job, check)


@pytest.mark.fault(112, "the node of a worker loses its network, and gets it back",
                   "told in a condition; exact")
def test_node_is_cut_off(case, cluster, job):
    seconds, rate = 60, 4_000
    check = case.check()
    with job.under_load(seed=103, rate=rate):
        node = job.running_pods()[0]["spec"]["nodeName"]
        case.defer(lambda: wait_until("all nodes", cluster.nodes_ready, 90))
        case.defer(lambda: cluster.heal(node))
        cluster.cut(node)
        cut_at = time.monotonic()
        wait_until("Ready not to be True", lambda: not job.ready(), seconds)
        stays_true("the job's existence", job.get, seconds - (time.monotonic() - cut_at), 1)
        cluster.heal(node)
    prove(case, job, check, 240)


def is_ready(node):
    return condition(node, "Ready").get("status") == "True"


@pytest.mark.fault(112, "the node of a worker loses its network, and stays away",
                   "told in words; 30 s after the node is NotReady its worker runs on another node; the old"
                   " one ends when the node is back; exact")
def test_node_is_lost(case, cluster, job):
    """A StatefulSet makes no other pod while one of that name may live, and no kubelet says that it does
    not: the operator has to take it away."""
    check = case.check()
    with job.under_load(seed=106, rate=4_000):
        leader = cluster.leader()
        led_from = next(p["spec"]["nodeName"] for p in cluster.operator_pods()
                        if p["metadata"]["name"] == leader)
        # That of another worker if there is one: its leader is another scenario's fault.
        victim = next((p for p in job.running_pods() if p["spec"]["nodeName"] != led_from),
                      job.running_pods()[0])
        name, node, pid = victim["metadata"]["name"], victim["spec"]["nodeName"], pid_of(victim)
        case.defer(lambda: wait_until("all nodes", cluster.nodes_ready, 90))
        case.defer(lambda: cluster.heal(node))
        cluster.cut(node)
        wait_until("NotReady", lambda: not is_ready(cluster.kubectl.get("node", node)), 90)
        not_ready_at = time.monotonic()
        job.wait_words("NodeLost", node)
        wait_until("the worker on another node, Ready", lambda: any(
            p["metadata"]["name"] == name and p["spec"]["nodeName"] != node
            for p in job.running_pods()) and job.ready(), 60)
        took = time.monotonic() - not_ready_at
        assert took <= 30, f"on another node {took:.1f} s after NotReady"
        job.wait_epochs(2)
        cluster.heal(node)
        wait_until("the end of the old worker", lambda: ended(pid), 90)
    prove(case, job, check, 240)


def ended(pid):
    """Gone, or waiting for its parent only."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.fault(47, "a pod is stopped, replaced, and woken",
                   "it ends by itself and commits nothing; exact")
def test_zombie_worker(case, cluster, job):
    """The kubelet is stopped too: else it would end the old worker itself."""
    check = case.check()
    with job.under_load(seed=104, rate=4_000):
        victim = job.running_pods()[-1]
        name, node, pid = victim["metadata"]["name"], victim["spec"]["nodeName"], pid_of(victim)
        kubelet = f"kubelet{node.removeprefix('node')}"
        case.defer(lambda: wait_until("all nodes", cluster.nodes_ready, 90))
        case.defer(lambda: cluster.kubectl.run("uncordon", node))
        case.defer(lambda: cluster.part("resume", kubelet))
        cluster.kubectl.run("cordon", node)
        cluster.part("pause", kubelet)
        os.kill(pid, signal.SIGSTOP)
        cluster.kubectl.delete("pod", name, job.namespace, "--force", "--grace-period=0")
        wait_until("the successor", lambda: any(
            pod["metadata"]["name"] == name and pod["metadata"]["uid"] != victim["metadata"]["uid"]
            for pod in job.running_pods()), 90)
        job.wait_ready()
        job.wait_epochs(2)
        assert not ended(pid), "the zombie ended too early to prove anything"
        os.kill(pid, signal.SIGCONT)
        wait_until("the zombie's end by itself", lambda: ended(pid), 60)
    prove(case, job, check)


def hijack(case, ordinal):
    """Takes the worker's ids over, as a process does that was told to use them."""
    for letter in "ab":
        Producer({"bootstrap.servers": case.kafka.bootstrap,
                  "transactional.id": f"{case.group}.{ordinal}.{letter}"}).init_transactions(30)


@pytest.mark.fault(76, "a stranger takes a worker's transactional ids over, again and again",
                   "it ends each time and starts again; the status says so in words; exact in the end")
def test_ids_are_hijacked(case, job):
    check = case.check()

    def told():
        hijack(case, 1)
        text = condition_text(job.get())
        return f"exits with code {FENCED}" in text or NotYet(text)
    with job.under_load(seed=105, rate=4_000):
        wait_until("the words", told, 120, 1)
        job.wait_ready()
    prove(case, job, check)
    assert not any(c["restartCount"] for pod in job.pods() for c in pod["status"]["containerStatuses"]
                   if pod["metadata"]["name"].endswith("-0")), "the other worker was restarted too"
