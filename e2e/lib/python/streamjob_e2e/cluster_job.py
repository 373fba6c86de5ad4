# SPDX-License-Identifier: Apache-2.0
"""A StreamJob in the cluster: its namespace, Secret, workers and what its status says."""
import contextlib
import os
import re

from streamjob_e2e import jobs, loadgen
from streamjob_e2e.events import Shape
from streamjob_e2e.kubectl import condition, condition_text
from streamjob_e2e.trace import records
from streamjob_e2e.waiting import NotYet, TimedOut, wait_until

SECRET = "s3"
# spec.worker of a job that shares three nodes on one machine with others.
WORKER = {"threads": 1, "logLevel": "debug", "resources": {
    "requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}}
# What the operator may make for a job.
CHILDREN = ("statefulsets,pods,services,configmaps,serviceaccounts,poddisruptionbudgets,roles,"
            "rolebindings,secrets,controllerrevisions")


class ClusterJob:
    """The purchases query of a Case, or any other SQL, in a namespace of its own."""

    def __init__(self, case, cluster, namespace=None):
        self.case, self.cluster, self.kubectl = case, cluster, cluster.kubectl
        self.name, self.namespace = "purchases", namespace or case.name
        self.kubectl.apply({"apiVersion": "v1", "kind": "Namespace",
                            "metadata": {"name": self.namespace}})
        case.defer(self._end)
        self._logs = cluster.pod_logs(self.namespace)
        case.defer(self._logs.close)
        case.collect_from(self._log_files)
        self._own = {self._id(thing) for thing in self.children()}
        case.collect_from(lambda: cluster.describe(self.namespace))
        case.trace_from(self, self._worker_logs)

    def _worker_logs(self):
        """(process, records) of every worker this job had."""
        for pod, process, text in self._logs.texts():
            if pod.startswith(f"{self.name}-worker-"):
                yield process, records(text)

    def _log_files(self):
        return [(f"{process}.log", lambda t=text: [t]) for _, process, text in self._logs.texts()]

    def _end(self):
        """The job first: its finalizer needs the operator; then the namespace with all in it."""
        self.kubectl.delete("streamjob", self.name, self.namespace)
        self.kubectl.delete("namespace", self.namespace)

    @staticmethod
    def _id(thing):
        return thing["kind"], thing["metadata"]["name"]

    def secret(self, **changes):
        """The Secret with the store's keys, as documented."""
        data = {**self.case.s3.credentials(), **changes}
        self.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                            "metadata": {"name": SECRET, "namespace": self.namespace},
                            "stringData": data})
        self._own.add(("Secret", SECRET))

    def checkpoint(self, interval="500ms"):
        """spec.checkpoint of a job in this namespace."""
        s3 = self.case.s3
        return {"interval": interval, "location": f"s3://{s3.bucket}/{self.namespace}",
                "endpoint": s3.pod_endpoint, "region": s3.region, "secretRef": {"name": SECRET}}

    def apply(self, sql=None, source_options=None, sink_options=None, interval="500ms", **spec):
        case = self.case
        sql = sql or jobs.purchases_sql(case.kafka.pod_bootstrap, case.source, case.sink,
                                        source_options, sink_options)
        spec = {"replicas": 2, "worker": WORKER, **spec}
        spec = {field: value for field, value in spec.items() if value is not None}
        job = jobs.manifest(self.name, sql, self.checkpoint(interval), self.namespace, **spec)
        with open(os.path.join(case.folder, "job.yaml"), "w", encoding="utf-8") as out:
            out.write(jobs.dump(job))
        self.kubectl.apply(job)
        case.group = f"streamjob.{self.get()['metadata']['uid']}"

    @contextlib.contextmanager
    def under_load(self, seed, rate, epochs=2, seconds=loadgen.LONG, partitions=8, **spec):
        """Applied with `spec`, ready, and at work on events that come in until the block ends. Unless the
        block ended the load itself, the job has to commit epochs again before that."""
        self.apply(**spec)
        self.wait_ready()
        shape = Shape(events=seconds * rate, seed=seed, partitions=partitions)
        with self.case.load(shape, rate=rate) as load:
            self.wait_epochs(epochs)
            yield load
            if load.running():
                self.wait_epochs(2, 150)
                load.end()

    def get(self):
        return self.kubectl.get("streamjob", self.name, self.namespace)

    def status(self):
        return (self.get() or {}).get("status", {})

    def ready(self):
        job = self.get()
        current = (job or {}).get("status", {}).get("observedGeneration") == (
            job or {"metadata": {}})["metadata"].get("generation")
        return current and condition(job, "Ready").get("status") == "True"

    def wait_ready(self, seconds=120):
        try:
            wait_until("Ready=True", self.ready, seconds)
        except TimedOut as error:
            raise TimedOut(f"{error}; conditions: {condition_text(self.get())}") from None

    def wait_workers(self, count, seconds=120):
        """Ready, with so many workers and pods."""
        wait_until(f"{count} workers", lambda: self.ready() and len(self.running_pods()) == count and
                   self.status()["readyReplicas"] == count, seconds)

    def wait_phase(self, phase, seconds=120):
        try:
            wait_until(f"phase {phase}", lambda: self.status().get("phase") == phase, seconds)
        except TimedOut as error:
            raise TimedOut(f"{error}; phase {self.status().get('phase')}, conditions: "
                           f"{condition_text(self.get())}") from None

    def wait_words(self, *words, seconds=90):
        """Until one condition has all the words; returns its type, reason and message."""
        def found():
            for c in self.status().get("conditions", []):
                text = f"{c['type']}={c['status']} {c.get('reason', '')}: {c.get('message', '')}"
                if all(word.lower() in text.lower() for word in words):
                    return text
            return NotYet(condition_text(self.get()))
        return wait_until(f"a condition with the words {words}", found, seconds, 0.5)

    def epoch(self):
        """The last committed epoch of the slowest worker, from the metadata in Kafka: the status is
        written seldom, on purpose."""
        found = {}
        for _, metadata in self.case.committed().values():
            name = re.fullmatch(r"sj[12]:.*/g\d+/(\d+)/(\d+)-[^:]*:\w+(?::\d+)?", metadata)
            if name:
                found[name[1]] = max(int(name[2]), found.get(name[1], 0))
        return min(found.values(), default=0)

    def wait_epochs(self, count, seconds=90):
        """Until every worker has committed `count` more epochs; needs events that come in. Kafka may
        still be coming back."""
        now, = wait_until("the committed epoch", lambda: [self.epoch()], seconds)
        goal = now + count
        wait_until(f"epoch {goal} of the slowest worker",
                   lambda: self.epoch() >= goal or NotYet(str(self.epoch())), seconds, 0.5)

    def pods(self):
        """Worker pods of this job, by name; its namespace may have others."""
        found = [pod for pod in self.kubectl.items("pods", self.namespace)
                 if pod["metadata"]["name"].startswith(f"{self.name}-worker-")]
        return sorted(found, key=lambda pod: pod["metadata"]["name"])

    def running_pods(self):
        return [pod for pod in self.pods() if "deletionTimestamp" not in pod["metadata"] and any(
            "running" in c.get("state", {}) for c in pod.get("status", {}).get("containerStatuses", []))]

    def children(self):
        """Everything in the namespace that Kubernetes did not put there itself."""
        return [thing for thing in self.kubectl.items(CHILDREN, self.namespace)
                if self._id(thing) not in {("ConfigMap", "kube-root-ca.crt"),
                                           ("ServiceAccount", "default")}]

    def left_over(self):
        """What is there and was not before the job."""
        return [self._id(thing) for thing in self.children() if self._id(thing) not in self._own]

    def patch(self, **spec):
        self.kubectl.patch("streamjob", self.name, self.namespace, {"spec": spec})
