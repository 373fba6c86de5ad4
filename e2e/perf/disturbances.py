# SPDX-License-Identifier: Apache-2.0
"""One job on three nodes under steady load, disturbed on purpose: how long which output pauses.

Each disturbance: the job runs, something happens, the job runs again and all output has caught up. Told
are the gaps of the output seen by a read_committed reader, apart for what moved and what stayed, when the
operator had decided, when it was done, and how many bytes the workers restored. At the end the whole
output is compared with what was written.
"""
import json
import os
import re
import signal
import statistics
import threading
import time
import urllib.request

import kube_api
import steady_job
from operator_scale import say
from streamjob_e2e import broken_image, environment
from streamjob_e2e.case import Case
from streamjob_e2e.cluster import Cluster
from streamjob_e2e.cluster_job import ClusterJob
from streamjob_e2e.kubectl import condition
from streamjob_e2e.pod_process import pid_of
from streamjob_e2e.waiting import wait_until
from worker_process import Births, log_lines, split

NAMES = ("rescale", "kill", "operator", "handover", "upgrade", "rollback", "node", "lost")
CUT_SECONDS = 15  # less than it takes until a node is NotReady
BULK_BYTES = 80  # of one key's state, encoded: that of its store and chunks, before compression
GONE_SECONDS_MAX = 180
READ_BACK = ("restored", "units restored for take-over")


class Watch(threading.Thread):
    """The job's status as it changes: (when, generation as text, ready, phase)."""

    def __init__(self, access, path):
        super().__init__(daemon=True)
        self._access, self._path, self._ended = access, path, threading.Event()
        self.seen = []

    def run(self):
        group, name = self._path.rsplit("/", 1)
        while not self._ended.is_set():
            try:
                connection = self._access.connect(timeout=660)
                connection.request("GET", f"{group}?watch=1&timeoutSeconds=600&fieldSelector="
                                          f"metadata.name%3D{name}")
                for line in connection.getresponse():
                    event = json.loads(line)
                    if event.get("type") not in ("ADDED", "MODIFIED") or self._ended.is_set():
                        break
                    self._note(event["object"])
            except (OSError, ValueError) as error:
                say(f"the watch of the job begins again: {error}")
            self._ended.wait(0.1)  # the API server ends watches; the next one begins with the present

    def _note(self, job):
        status = job.get("status", {})
        ready = next((c["status"] for c in status.get("conditions", ()) if c["type"] == "Ready"), "")
        self.seen.append((time.time(), json.dumps(status.get("generation"), sort_keys=True),
                          ready == "True", status.get("phase")))

    def decided(self, since):
        """When the status first told of another generation, or step of one."""
        before = [g for at, g, *_ in self.seen if at < since][-1:]
        return next((at for at, g, *_ in self.seen if at >= since and [g] != before), None)

    def end(self):
        self._ended.set()


class Bench:
    """The job, its load, its output."""

    def __init__(self, args):
        self.args = args
        kafka, s3 = environment.Kafka(), environment.S3()
        self.cluster = Cluster()
        self.case = Case("control", kafka, s3)
        self.case.topic(self.case.source, steady_job.PARTITIONS)
        for name in ("echo", "tick", "bulk"):
            self.case.topic(f"{self.case.sink}-{name}", 4)
        self.job = ClusterJob(self.case, self.cluster)
        self.job.secret()
        keys = args.state_mb * 1_000_000 // BULK_BYTES
        self.feed = steady_job.Feed(kafka.bootstrap, self.case.source, args.rate, keys)
        self.output = steady_job.Output(kafka.bootstrap, self.case.sink)
        self.replicas, self.rows, self.splits = 1, [], []
        access = kube_api.Access(self.cluster.env["KUBECONFIG"])
        self.watch = Watch(access, f"{kube_api.JOBS}/namespaces/{self.job.namespace}/streamjobs/"
                                   f"{self.job.name}")

    def begin(self):
        memory = f"{max(512, self.args.state_mb * 2)}Mi"
        self.job.apply(sql=self._sql(), interval=self.args.interval, replicas=self.replicas,
                       rollout={"stableAfter": "5s"}, worker={"threads": 1, "resources": {
                           "requests": {"cpu": "50m", "memory": "64Mi"},
                           "limits": {"memory": memory}}})
        self.job.wait_ready()
        say("the job runs; filling its state")
        self.feed.prefill()
        self.feed.start()
        self.output.start()
        self.watch.start()
        self.wait_current(300)

    def _sql(self, also=""):
        return steady_job.sql(self.case.kafka.pod_bootstrap, self.case.source, self.case.sink, also)

    def end(self):
        self.feed.end()
        self.watch.end()
        self.output.end()

    # --- what is seen -------------------------------------------------------------------------------

    def wait_current(self, seconds=GONE_SECONDS_MAX):
        """Until output is there of all partitions and keys that was not, a moment ago."""
        since = time.time()
        wrote = list(self.feed.echoes)
        wait_until("all output to go on", lambda: all(
            got.get(n - 1) for got, n in zip(self.output.echoes, wrote)) and sum(
                times[-1] > since for times in list(self.output.tick_seen.values())
            ) == steady_job.TICK_KEYS, seconds, 0.05)

    def stored_bytes(self):
        """What a restore of all workers would read."""
        total = 0
        for pod in self.job.running_pods():
            url = f"http://{pod['status']['podIP']}:9090/status"
            with urllib.request.urlopen(url, timeout=5) as answer:
                total += json.load(answer)["checkpoint"]["stateBytes"]
        return total

    def gaps(self, begin, end, moved_parts, moved_keys):
        """The row's gaps in seconds."""
        echo = {p: steady_job.longest_gap(t, begin, end) for p, t in enumerate(self.output.echo_seen)}
        tick = {k: steady_job.longest_gap(t, begin, end)
                for k, t in list(self.output.tick_seen.items())}
        out = [steady_job.longest_gap(t, begin, end) for t in list(self.output.out_seen.values())]
        told = lambda values: (f"{statistics.median(values):.2f}, {max(values):.2f}" if values else None)
        pick = lambda gaps, wanted: [g for k, g in gaps.items() if (k in wanted) and g is not None]
        return {"moved_gap": told(pick(echo, moved_parts)),
                "stayed_gap": told(pick(echo, set(echo) - set(moved_parts))),
                "moved_window_gap": told(pick(tick, moved_keys)),
                "stayed_window_gap": told(pick(tick, set(tick) - set(moved_keys))),
                "partition_gap": told([g for g in out if g is not None])}

    def restored(self, since):
        """Bytes read back by workers since then, by their own logs; those fetched in advance are
        among what is restored."""
        total = 0
        for pod in self.job.pods():
            for line in log_lines(self.cluster.kubectl, pod):
                if line["at"] >= since and line["message"] in READ_BACK:
                    total += int(line.get("bytes", 0))
        return total

    def placed(self, replicas):
        """({partition: worker}, {key: worker})"""
        effective = self.job.status().get("effective", {})
        shards, groups = effective.get("shards", 16), effective.get("maxParallelism", 128)
        return ({p: steady_job.part_owner(p, replicas) for p in range(steady_job.PARTITIONS)},
                {k: steady_job.key_owner(k, replicas, shards, groups)
                 for k in list(self.output.tick_seen)})

    # --- disturbances -------------------------------------------------------------------------------

    def measure(self, name, act, moved, beside=None):
        """`act` disturbs and returns when it is over by its own measure."""
        self.job.wait_ready()
        self.wait_current()
        time.sleep(3)  # output before it is part of the picture
        begun = time.time()
        extra = act(begun) or {}
        self.job.wait_ready()
        done = time.time()
        self.wait_current()
        parts, keys = moved
        decided = self.watch.decided(begun)
        row = {"name": name, **self.gaps(begun, time.time(), parts, keys),
               "decided": round(decided - begun, 2) if decided else None,
               "done": round(done - begun, 2), "bytes_moved": self.restored(begun),
               "beside": beside, **extra}
        self.rows.append(row)
        say(json.dumps(row))

    def rescale(self, replicas):
        before, after = self.placed(self.replicas), self.placed(replicas)
        moved = tuple([k for k in old if old[k] != new[k]] for old, new in zip(before, after))

        def act(_):
            self.job.patch(replicas=replicas)
            wait_until(f"{replicas} workers", lambda: self.job.ready() and
                       self.job.status()["readyReplicas"] == replicas, 180, 0.05)
        self.measure(f"rescale {self.replicas} to {replicas}", act, moved, "rescale")
        self.replicas = replicas

    def of_worker(self, ordinal):
        parts, keys = self.placed(self.replicas)
        return [p for p, w in parts.items() if w == ordinal], [k for k, w in keys.items() if w == ordinal]

    def _fresh_pod(self, ordinal):
        """A pod without a restart: the kubelet holds back a container that ends again and again."""
        pod = self.job.pods()[ordinal]
        if sum(c["restartCount"] for c in pod["status"]["containerStatuses"]) > 0:
            self.cluster.kubectl.delete("pod", pod["metadata"]["name"], self.job.namespace)
            wait_until("a new pod", lambda: len(self.job.running_pods()) == self.replicas and
                       self.job.pods()[ordinal]["metadata"]["uid"] != pod["metadata"]["uid"], 90)
            self.job.wait_ready()
        return self.job.pods()[ordinal]

    def kill(self, ordinal=1):
        pod = self._fresh_pod(ordinal)
        births = Births(pod)

        def act(begun):
            births.start()
            os.kill(pid_of(pod), signal.SIGKILL)
            wait_until("another process", lambda: births.born, 60, 0.05)
            parts, _ = self.of_worker(ordinal)
            first = wait_until("its first output", lambda: min((
                next((t for t in self.output.echo_seen[p] if t > births.born), 0)
                for p in parts), default=0), 90, 0.02)
            self.splits.append(split(begun, births.born, first, self.cluster.kubectl, pod))
            say(json.dumps(self.splits[-1]))
        self.measure("kill -9 of a worker", act, self.of_worker(ordinal), "kill")

    def node(self, ordinal=1):
        """Without its network for a while; its pods stay there, as on any cluster."""
        node = self.job.pods()[ordinal]["spec"]["nodeName"]
        hit = [i for i, pod in enumerate(self.job.pods()) if pod["spec"]["nodeName"] == node]
        leader = self.cluster.leader()

        def act(begun):
            self.case.defer(lambda: self.cluster.heal(node))
            self.cluster.cut(node)
            time.sleep(max(0, begun + CUT_SECONDS - time.time()))  # the cut's length is given
            self.cluster.heal(node)
            wait_until("all nodes", self.cluster.nodes_ready, 120)
            self.wait_current()
            return {"with_leader": any(p["metadata"]["name"] == leader and p["spec"]["nodeName"] == node
                                       for p in self.cluster.operator_pods())}
        moved = tuple(sum(lists, []) for lists in zip(*(self.of_worker(i) for i in hit)))
        self.measure(f"node cut off for {CUT_SECONDS} s", act, moved)

    def lost(self, ordinal=1):
        """Its node stays away: the worker has to start on another one."""
        pod = self.job.pods()[ordinal]
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        hit = [i for i, p in enumerate(self.job.pods()) if p["spec"]["nodeName"] == node]
        leader = self.cluster.leader()
        led_here = any(p["metadata"]["name"] == leader and p["spec"]["nodeName"] == node
                       for p in self.cluster.operator_pods())

        def act(begun):
            self.case.defer(lambda: self.cluster.heal(node))
            self.cluster.cut(node)
            wait_until("NotReady", lambda: not self.cluster.nodes_ready(), 120, 0.1)
            not_ready = time.time()
            wait_until("the worker elsewhere", lambda: self.job.ready() and any(
                p["metadata"]["name"] == name and p["spec"]["nodeName"] != node
                for p in self.job.running_pods()), 180, 0.1)
            return {"not_ready": round(not_ready - begun, 2), "with_leader": led_here}
        moved = tuple(sum(lists, []) for lists in zip(*(self.of_worker(i) for i in hit)))
        self.measure("node lost for good", act, moved)
        self.cluster.heal(node)
        wait_until("all nodes", self.cluster.nodes_ready, 120)

    def rollback(self):
        """A spec whose workers end at once, until the last stable one runs again."""
        broken_image.load()
        wait_until("a stable spec", lambda: self.job.status().get("stable", {}).get("specHash") ==
                   self.job.status()["generation"]["specHash"], 90)
        stable = self.job.status()["stable"]["specHash"]
        parts, keys = self.placed(self.replicas)

        def act(_):
            self.job.patch(worker={"image": broken_image.BROKEN})
            wait_until("the stable spec", lambda: condition(self.job.get(), "RolledBack").get("status") ==
                       "True" and self.job.ready() and
                       self.job.status()["generation"]["specHash"] == stable, 180, 0.1)
        self.measure("rollback", act, (list(parts), list(keys)))
        self.job.patch(worker={"image": None})
        wait_until("the end of the rollback", lambda: self.job.ready() and
                   not self.job.status().get("rollback"), 120)

    def _new_leader(self, name, end):
        old = self.cluster.leader()

        def act(begun):
            end(old)
            wait_until("another leader", lambda: self.cluster.leader() not in (None, old), 90, 0.05)
            led = round(time.time() - begun, 2)
            wait_until("the operator", self.cluster.operator_ready, 120)
            return {"leader_seconds": led}
        self.measure(name, act, ([], []))

    def operator(self):
        self._new_leader("kill -9 of the operator's leader", lambda old: self.cluster.pod_signal(
            "streamjob-system", old, "SIGKILL"))

    def handover(self):
        self._new_leader("leader handed over", lambda old: self.cluster.kubectl.delete(
            "pod", old, "streamjob-system"))

    def upgrade(self):
        """Other SQL under which the state stays valid: an echo's filter that keeps all."""
        number = sum(r["name"].startswith("SQL") for r in self.rows)
        parts, keys = self.placed(self.replicas)

        def act(_):
            before = {pod["metadata"]["uid"] for pod in self.job.pods()}
            self.job.patch(sql=self._sql(f" AND n >= {-1 - number}"))
            wait_until("new workers", lambda: self.job.ready() and len(self.job.running_pods()) ==
                       self.replicas and not before & {p["metadata"]["uid"] for p in self.job.pods()},
                       180, 0.05)
        self.measure("SQL upgrade", act, (list(parts), list(keys)), "rescale")

    def run(self, names):
        for _ in range(self.args.repeat):
            for name in names:
                if name == "rescale":
                    for replicas in (2, 4, 2):
                        self.rescale(replicas)
                    continue
                if self.replicas != 2:
                    self.rescale(2)
                getattr(self, name)()
            if "rescale" in names and self.args.repeat > 1:
                self.rescale(1)


def run(args):
    names = [n for n in re.split(r"[ ,]+", args.only) if n] or list(NAMES)
    unknown = set(names) - set(NAMES)
    if unknown:
        raise SystemExit(f"control: there is no {', '.join(sorted(unknown))}; there are {NAMES}")
    bench = Bench(args)
    failed = True
    try:
        bench.begin()
        stored = bench.stored_bytes()
        time.sleep(12)  # the usual gap is taken from these seconds
        usual = bench.gaps(time.time() - 10, time.time() - 1, range(steady_job.PARTITIONS), ())
        say(f"state {args.state_mb} MB, stored as {stored / 1e6:.0f} MB; usual gaps {usual}")
        bench.run(names)
        bench.feed.end()
        wait_until("all echoes", lambda: [len(e) for e in bench.output.echoes] == bench.feed.echoes, 120)
        wrong = steady_job.wrong_rows(bench.feed, bench.output)
        say(f"checked {sum(bench.feed.echoes)} echoes and {len(bench.feed.ticks)} windows: "
            f"{wrong or 'exact'}")
        failed = False
    finally:
        bench.end()
        bench.case.finish(failed)
    return {"rate": args.rate, "interval": args.interval, "state_mb": args.state_mb,
            "stored_mb": round(stored / 1e6),
            "keys": steady_job.TICK_KEYS, "usual_gap_seconds": usual["moved_gap"],
            "usual_window_gap_seconds": usual["stayed_window_gap"], "rows": bench.rows,
            "kill_split": bench.splits, "events": sum(bench.feed.echoes) * 2, "wrong": wrong}
