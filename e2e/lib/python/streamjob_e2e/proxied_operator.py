# SPDX-License-Identifier: Apache-2.0
"""The installed operator with a proxy between both of its replicas and the API server.

Nothing of the product is changed: the two environment variables that tell a pod where the API server is
name the proxy. Probes are StreamJobs in state Suspended: the operator does everything for them but start
pods, so what the control plane makes of a fault is seen in a second.
"""
import contextlib
import itertools
import os

from streamjob_e2e import jobs
from streamjob_e2e.api_proxy import ApiProxy
from streamjob_e2e.cluster import SYSTEM
from streamjob_e2e.waiting import wait_until

LEASES = r"/leases/"
WATCH_JOBS = r"/streamjobs\?.*watch=true"
CHILDREN = "statefulsets,services,configmaps,serviceaccounts,poddisruptionbudgets"
SQL = """CREATE TABLE a (k STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
CREATE TABLE b (k STRING) WITH ('connector' = 'blackhole');
INSERT INTO b SELECT k FROM a"""
_numbers = itertools.count(1)


class ProxiedOperator:
    def __init__(self, cluster):
        self.cluster, self.kubectl = cluster, cluster.kubectl
        server = self.kubectl.run("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
        self.host, port = server.removeprefix("https://").split(":")
        pki = os.path.join(os.path.dirname(os.path.dirname(cluster.env["KUBECONFIG"])), "pki")
        self.proxy = ApiProxy((self.host, int(port)), pki, self.host)
        self.deployment = self.kubectl.items("deployments", SYSTEM)[0]["metadata"]["name"]
        self._turn(f"KUBERNETES_SERVICE_HOST={self.host}", f"KUBERNETES_SERVICE_PORT={self.proxy.port}")
        wait_until("requests by way of the proxy", lambda: self.proxy.seen(path=LEASES), 60)

    def _turn(self, *variables):
        self.kubectl.run("set", "env", f"deployment/{self.deployment}", "-n", SYSTEM, *variables)
        self.kubectl.run("rollout", "status", f"deployment/{self.deployment}", "-n", SYSTEM,
                         "--timeout=120s", seconds=120)
        wait_until("a leader", self.leader, 60)

    def close(self):
        self.proxy.rules.clear()
        try:
            self._turn("KUBERNETES_SERVICE_HOST-", "KUBERNETES_SERVICE_PORT-")
        finally:
            self.proxy.close()

    def leader(self):
        return self.cluster.leader()

    def standby(self):
        return next((pod["metadata"]["name"] for pod in self.cluster.operator_pods()
                     if pod["metadata"]["name"] != self.leader() and
                     "deletionTimestamp" not in pod["metadata"]), None)

    def writes(self, since, who=None):
        """What the operator has written since then and the server has done; leases and reviews of
        tokens aside."""
        found = self.proxy.seen("POST|PUT|PATCH|DELETE", since=since, who=who)
        return [entry for entry in found if "/leases" not in entry[2] and
                "/tokenreviews" not in entry[2] and 200 <= entry[3] < 300]

    @contextlib.contextmanager
    def rules(self, *made):
        """Ends the rules afterwards, whatever happens."""
        try:
            yield made[0] if len(made) == 1 else made
        finally:
            for rule in made:
                rule.end()


def restarts(operator):
    """How often each replica has been started again; those that are on their way out do not count."""
    return {pod["metadata"]["name"]: sum(c["restartCount"] for c in
                                         pod["status"].get("containerStatuses", []))
            for pod in operator.cluster.operator_pods()
            if "deletionTimestamp" not in pod["metadata"]}


class Probe:
    """A suspended StreamJob in the scenario's namespace."""

    def __init__(self, kubectl, namespace, name=None):
        self.kubectl, self.namespace = kubectl, namespace
        self.name = name or f"probe-{next(_numbers)}"

    def apply(self, **spec):
        spec = {"state": "Suspended", "replicas": 1, **spec}
        self.kubectl.apply(jobs.manifest(self.name, SQL, {"location": "s3://streamjob/probe"},
                                         self.namespace, **spec))
        return self

    def get(self):
        return self.kubectl.get("streamjob", self.name, self.namespace)

    def served(self):
        """The operator has seen this very spec and brought it about."""
        job = self.get() or {}
        status = job.get("status", {})
        return (status.get("observedGeneration") == job.get("metadata", {}).get("generation") and
                status.get("phase") == "Suspended")

    def wait_served(self, seconds=30):
        wait_until(f"{self.name} to be served", self.served, seconds, 0.1)
        return self

    def child(self, kind):
        """The first child of that kind, or None."""
        uid = self.get()["metadata"]["uid"]
        return next((thing for thing in self.kubectl.items(kind, self.namespace) if uid in
                     {owner["uid"] for owner in thing["metadata"].get("ownerReferences", [])}), None)

    def delete(self):
        self.kubectl.delete("streamjob", self.name, self.namespace)

    def wait_gone(self, seconds=30):
        wait_until(f"{self.name} to be gone", lambda: self.get() is None, seconds, 0.1)

    def life(self, seconds=30):
        """Made, served, edited, served, deleted, gone: whatever is broken meanwhile."""
        self.apply().wait_served(seconds)
        self.apply(replicas=2).wait_served(seconds)
        self.delete()
        self.wait_gone(seconds)
