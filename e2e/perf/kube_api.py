# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes API without a client library: one connection, watches in a process of their own, and
what the API server's audit log says an account wrote.

A watch is read by another process, so that its time stamps do not wait for whoever posts.
"""
import collections
import http.client
import json
import multiprocessing
import ssl
import time
import urllib.parse

import yaml

JOBS = "/apis/streamjob.io/v1alpha1"
# Everything the operator makes for a job, as (path, kind).
CHILDREN = (("/apis/apps/v1", "statefulsets"), ("/api/v1", "services"), ("/api/v1", "configmaps"),
            ("/api/v1", "serviceaccounts"), ("/apis/policy/v1", "poddisruptionbudgets"))
MANAGED = "app.kubernetes.io/managed-by=streamjob-operator"
READS = {"get", "list", "watch"}
IDLE_SECONDS_MAX = 20  # of a kept connection


class Refused(AssertionError):
    """The API server answered with an error; the text is its own."""


class Access:
    """Address and certificates out of a kubeconfig. Can be handed to another process."""

    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as text:
            config = yaml.safe_load(text)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url, self.ca = cluster["server"], cluster["certificate-authority"]
        self.certificate, self.key = user["client-certificate"], user["client-key"]

    def connect(self, timeout=60):
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.certificate, self.key)
        address = urllib.parse.urlsplit(self.url)
        return http.client.HTTPSConnection(address.hostname, address.port, context=context,
                                           timeout=timeout)


class Api:
    """One connection; owned by one thread."""

    def __init__(self, access):
        self.access, self._connection, self._used = access, access.connect(), time.monotonic()

    def call(self, method, path, body=None, content="application/json"):
        data = json.dumps(body) if body is not None else None
        if time.monotonic() - self._used > IDLE_SECONDS_MAX:
            self._connection.close()  # the server may have ended it; the request connects again
        self._used = time.monotonic()
        try:
            self._connection.request(method, path, data, {"Content-Type": content})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next call connects again
            raise
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {text[:500].decode(errors='replace')}")
        return json.loads(text) if text else {}

    def items(self, path, **query):
        """All objects, from the API server's memory."""
        query = urllib.parse.urlencode({"resourceVersion": 0, **query})
        return self.call("GET", f"{path}?{query}")["items"]

    def version(self, path):
        return self.call("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]


def _watch(access, path, version, found, ready):
    """Puts (kind, job, seconds since 1970) for each object that is added and has an owner."""
    connection = access.connect(timeout=3600)
    query = urllib.parse.urlencode({"watch": 1, "timeoutSeconds": 3600, "resourceVersion": version,
                                    "labelSelector": MANAGED})
    connection.request("GET", f"{path}?{query}")
    answer = connection.getresponse()
    ready.set()
    for line in answer:
        at = time.time()
        event = json.loads(line)
        if event["type"] != "ADDED":
            continue
        meta = event["object"]["metadata"]
        for owner in meta.get("ownerReferences", ()):
            if owner["kind"] == "StreamJob":
                found.put((path.rsplit("/", 1)[1], owner["name"], at))


class ChildWatch:
    """When the children of each job were first seen, by kind."""

    def __init__(self, access, namespace):
        self._found, self._seen, self._processes = multiprocessing.Queue(), {}, []
        api = Api(access)
        for group, kind in CHILDREN:
            path, ready = f"{group}/namespaces/{namespace}/{kind}", multiprocessing.Event()
            process = multiprocessing.Process(
                target=_watch, args=(access, path, api.version(path), self._found, ready), daemon=True)
            process.start()
            self._processes.append(process)
            if not ready.wait(60):
                raise TimeoutError(f"the watch of {path} does not begin")

    def close(self):
        for process in self._processes:
            process.terminate()
            process.join(10)

    def seen(self):
        """{job: {kind: seconds since 1970}}"""
        while not self._found.empty():
            kind, job, at = self._found.get()
            self._seen.setdefault(job, {}).setdefault(kind, at)
        return self._seen


class Audit:
    """What one account wrote, out of the API server's audit log."""

    POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["{user}"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""

    def __init__(self, log):
        self.log, self._at = log, 0

    def begin(self):
        """Counts from here on."""
        with open(self.log, "rb") as text:
            self._at = text.seek(0, 2)

    def writes(self):
        """{"verb resource": count} since `begin`. Reviews of tokens and Leases are among them."""
        counts = collections.Counter()
        with open(self.log, "rb") as text:
            text.seek(self._at)
            for line in text:
                event = json.loads(line)
                if event["verb"] in READS:
                    continue
                what = event.get("objectRef", {})
                sub = f"/{what['subresource']}" if "subresource" in what else ""
                counts[f"{event['verb']} {what.get('resource')}{sub}"] += 1
        return dict(counts)


def split_writes(counts):
    """(what is stored beside the Lease, renewals of the Lease, TokenReviews, which are not stored)."""
    stored = {k: v for k, v in counts.items() if "leases" not in k and "tokenreviews" not in k}
    return (stored, sum(v for k, v in counts.items() if "leases" in k),
            sum(v for k, v in counts.items() if "tokenreviews" in k))
