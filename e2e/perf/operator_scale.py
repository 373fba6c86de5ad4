# SPDX-License-Identifier: Apache-2.0
"""The operator with hundreds of StreamJobs, on a control plane with fake nodes.

Bursts of new jobs: from the POST of a job to its first child and to its StatefulSet, as another client
sees them by watch. Then one job alone, all workers connected (fake_workers.py), idle, and a restart onto
all of it. Memory and CPU out of /proc, writes out of the API server's audit log.
"""
import collections
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import kube_api
from measure import cpu_seconds
from operator_process import ACCOUNT, Install, OperatorProcess
from streamjob_e2e import environment, jobs
from streamjob_e2e.environment import ROOT, script
from streamjob_e2e.kubectl import Kubectl
from streamjob_e2e.waiting import Hopeless, NotYet, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(ROOT, "build", "perf", "control")
NAMESPACE = "bench"
JOBS = f"{kube_api.JOBS}/namespaces/{NAMESPACE}/streamjobs"
SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
BROKERS = "kafka.kafka.svc:9092"
POD_NODES = 1000  # pods a fake node is counted with


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def quantiles(seconds):
    ordered = sorted(seconds)
    pick = lambda q: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 3)
    return {"p50": pick(.5), "p95": pick(.95), "max": round(ordered[-1], 3)}


def manifest(number, replicas):
    sql = jobs.purchases_sql(BROKERS, "user-events", "per-minute")
    checkpoint = {"interval": "1s", "location": "s3://streamjob/bench"}
    return jobs.manifest(f"job{number:04d}", sql, checkpoint, NAMESPACE, replicas=replicas)


CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller", "kube-scheduler", "kwok")


def control_plane_cpu(run):
    """{name: CPU seconds so far} of the control plane whose files are in the folder `run`."""
    used = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as text:
                name = text.read().strip()
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as text:
                command = text.read()
        except OSError:
            continue  # it has ended
        if name.startswith(CONTROL_PLANE) and (run in command or name == "etcd"):
            used[name] = used.get(name, 0) + (cpu_seconds(pid) or 0)
    return used


class Bench:
    """One cluster, one operator; the results of one size."""

    def __init__(self, args):
        self.args, self.made, self.result = args, 0, {}
        self.folder = os.path.join(OUT, "operator")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.kubectl, self.env = self._cluster()
        self.run_folder = environment.setting("STREAMJOB_RUN")
        self.access = kube_api.Access(self.env["KUBECONFIG"])
        self.api = kube_api.Api(self.access)
        self.audit = kube_api.Audit(os.path.join(self.folder, "audit.log"))
        self.operator = OperatorProcess(Install(self.kubectl, self.env, self.folder))
        self.workers = None

    def _cluster(self):
        policy = os.path.join(self.folder, "audit-policy.yaml")
        with open(policy, "w", encoding="utf-8") as out:
            out.write(kube_api.Audit.POLICY.format(user=ACCOUNT))
        # Read by the API server's start; one that runs already has no such log.
        os.environ["KUBE_APISERVER_ARGS"] = (
            f"--audit-policy-file={policy} --audit-log-path={self.folder}/audit.log")
        pods = (self.args.jobs + self.args.samples) * self.args.replicas
        script("cluster", "up", "--nodes", 0, "--fake-nodes", 1 + pods // POD_NODES,
               seconds=environment.UP_SECONDS)
        env = environment.exports(script("cluster", "env"))
        kubectl = Kubectl(env)
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        return kubectl, env

    def close(self):
        self.disconnect()
        self.operator.stop()

    # --- jobs ---------------------------------------------------------------------------------------

    def _post(self, count):
        """{name: seconds since 1970, before its POST}"""
        posted = {}
        for number in range(self.made, self.made + count):
            job = manifest(number, self.args.replicas)
            posted[job["metadata"]["name"]] = time.time()
            self.api.call("POST", JOBS, job)
        self.made += count
        return posted

    def burst(self, count):
        watch = kube_api.ChildWatch(self.access, NAMESPACE)
        try:
            cpu, others, begun = self.operator.cpu(), control_plane_cpu(self.run_folder), time.time()
            posted = self._post(count)
            took = time.time() - begun
            wait_until("children of all jobs", lambda: all(
                "statefulsets" in watch.seen().get(name, ()) for name in posted), 300, 0.1)
            seen, until_sets = watch.seen(), time.time() - begun
            then = control_plane_cpu(self.run_folder)
            shares = {"operator": round(self.operator.cpu() - cpu, 2),
                      **{name: round(then[name] - others.get(name, 0), 2) for name in then}}
        finally:
            watch.close()
        row = {"jobs": count, "posted_seconds": round(took, 2),
               "until_all_sets": {"seconds": round(until_sets, 2), "cores": os.cpu_count(),
                                  "cpu_seconds": shares},
               "first_child": quantiles(min(seen[n].values()) - at for n, at in posted.items()),
               "stateful_set": quantiles(seen[n]["statefulsets"] - at for n, at in posted.items())}
        wait_until("all pods Ready", self._pods_ready, 600, 1)
        wait_until("an idle operator", self.operator.idle, 120, 0.5)
        row.update(pods_ready_seconds=round(time.time() - begun, 1),
                   operator_cpu_seconds=round(self.operator.cpu() - cpu, 2),
                   memory_kib=self.operator.memory())
        return row

    def _pods_ready(self):
        sets = self.api.items(SETS)
        return len(sets) == self.made and all(
            s["status"].get("readyReplicas") == s["spec"]["replicas"] for s in sets)

    def alone(self, samples):
        watch, found = kube_api.ChildWatch(self.access, NAMESPACE), []
        try:
            for _ in range(samples):
                (name, at), = self._post(1).items()
                wait_until("its StatefulSet", lambda n=name: "statefulsets" in watch.seen().get(n, ()),
                           60, 0.02)
                seen = watch.seen()[name]
                found.append((min(seen.values()) - at, seen["statefulsets"] - at))
                wait_until("an idle operator", self.operator.idle, 60, 0.05)  # the next one is alone
        finally:
            watch.close()
        return {"first_child_seconds": [round(a, 3) for a, _ in found],
                "stateful_set_seconds": [round(b, 3) for _, b in found],
                "first_child_median": round(statistics.median(a for a, _ in found), 3)}

    # --- workers ------------------------------------------------------------------------------------

    def _plan(self):
        uids = {j["metadata"]["name"]: j["metadata"]["uid"] for j in self.api.items(JOBS)}
        who = []
        for pod in self.api.items(PODS):
            meta = pod["metadata"]
            job = next(n for n in (meta["labels"]["app.kubernetes.io/instance"],) if n in uids)
            account = pod["spec"]["serviceAccountName"]
            bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
            asked = {"spec": {"audiences": ["streamjob-control"], "expirationSeconds": 86_400,
                              "boundObjectRef": bound}}
            token = self.api.call(
                "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token", asked)
            who.append({"namespace": NAMESPACE, "job": job, "uid": uids[job],
                        "ordinal": int(meta["labels"]["apps.kubernetes.io/pod-index"]),
                        "spec_hash": meta["annotations"]["streamjob.io/spec-hash"],
                        "token": token["status"]["token"]})
        return who

    def connect(self):
        """All workers, until the operator says that each job runs."""
        who = self._plan()
        plan = os.path.join(self.folder, "workers.json")
        with open(plan, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as out:
            json.dump({"url": f"https://127.0.0.1:{self.operator.control_port}",
                       "ca": self.operator.install.path("ca.crt"),
                       "name": self.operator.install.service, "hold_ms": 5000, "workers": who}, out)
        before, cpu, begun = self.operator.memory(), self.operator.cpu(), time.time()
        with open(os.path.join(self.folder, "workers.log"), "wb") as log:
            self.workers = subprocess.Popen(  # pylint: disable=consider-using-with
                [sys.executable, os.path.join(HERE, "fake_workers.py"), plan], stdout=log, stderr=log)
        self.wait_running(300)
        row = {"workers": len(who), "all_running_seconds": round(time.time() - begun, 1),
               "operator_cpu_seconds": round(self.operator.cpu() - cpu, 2)}
        time.sleep(self.args.settle)  # what is measured is the state after it
        after = self.operator.memory()
        row.update(memory_kib=after, before_kib=before,
                   kib_per_worker=round((after["rss"] - before["rss"]) / len(who), 1))
        return row

    def wait_running(self, seconds):
        wait_until("all jobs Running", self._all_running, seconds, 0.5)

    def _all_running(self):
        if self.workers.poll() is not None:
            raise Hopeless(f"the workers have ended, see {self.folder}/workers.log")
        phases = [j.get("status", {}).get("phase") for j in self.api.items(JOBS)]
        return phases.count("Running") == len(phases) or NotYet(f"{phases.count('Running')} run")

    def disconnect(self):
        if self.workers and self.workers.poll() is None:
            self.workers.terminate()
            self.workers.wait(30)
        self.workers = None

    # --- states -------------------------------------------------------------------------------------

    def rest(self, quiet=60, at_most=600):
        """Until nothing was written for a minute: what has just begun to run proves itself first. Seconds
        it took, without that minute."""
        begun = time.time()
        while time.time() - begun < at_most:
            self.audit.begin()
            time.sleep(quiet)  # the span is what is looked at
            if not sum(kube_api.split_writes(self.audit.writes())[0].values()):
                break
        return round(time.time() - begun - quiet)

    def _statuses(self):
        return {j["metadata"]["name"]: j.get("status", {}) for j in self.api.items(JOBS)}

    def idle(self, seconds):
        """Writes and CPU while nobody changes anything, and which parts of a status were written."""
        before = self._statuses()
        self.audit.begin()
        millicores = self.operator.millicores(seconds)
        stored, leases, reviews = kube_api.split_writes(self.audit.writes())
        after = self._statuses()
        changed = collections.Counter(key for name, status in after.items() for key in status
                                      if status[key] != before.get(name, {}).get(key))
        return {"seconds": seconds, "millicores": millicores, "writes": stored, "changed": dict(changed),
                "writes_total": sum(stored.values()), "lease_renewals": leases,
                "token_reviews": reviews, "memory_kib": self.operator.memory()}

    def restart(self):
        """TERM and a new process onto all jobs."""
        self.audit.begin()
        stopped = self.operator.stop()
        begun = self.operator.start()
        self.operator.wait_leading()
        leads = time.monotonic() - begun
        wait_until("an idle operator", self.operator.idle, 120, 0.05)
        row = {"stop_seconds": stopped, "leads_seconds": round(leads, 2),
               "all_looked_at_seconds": round(time.monotonic() - begun, 2),
               "operator_cpu_seconds": round(self.operator.cpu(), 2),
               "memory_then_kib": self.operator.memory()}
        time.sleep(max(0, 45 - (time.monotonic() - begun)))  # what is measured is the 45th second
        stored, _, reviews = kube_api.split_writes(self.audit.writes())
        row.update(memory_kib=self.operator.memory(), writes=stored, token_reviews=reviews)
        return row


def run(args):
    """All steps; returns the result as it goes into the report."""
    bench, out = Bench(args), {"jobs": args.jobs, "workers_each": args.replicas}

    def step(name, row):
        out[name] = row
        say(f"{name}: {json.dumps(row)}")
    try:
        bench.operator.start()
        bench.operator.wait_leading()
        time.sleep(args.settle)  # what is measured is the state after it
        step("empty", {"memory_kib": bench.operator.memory()})
        first = min(100, args.jobs)
        step("burst_cold", bench.burst(first))
        if args.jobs > first:
            step("burst_warm", bench.burst(args.jobs - first))
        step("alone", bench.alone(args.samples))
        time.sleep(args.settle)  # what is measured is the state after it
        step("no_worker_yet", bench.idle(args.idle_short))
        step("restart", bench.restart())
        step("connected", bench.connect())
        step("with_input", bench.idle(args.idle_short))
        bench.workers.send_signal(signal.SIGUSR1)
        time.sleep(args.settle)  # what is measured is the state after it
        out["rest_seconds"] = bench.rest()
        step("idle", bench.idle(args.idle))
        step("restart_connected", bench.restart())
        bench.wait_running(120)
    finally:
        bench.close()
    return out
