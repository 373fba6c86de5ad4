# SPDX-License-Identifier: Apache-2.0
"""The operator as a process of this machine, with what its chart would give the pod: configuration,
service account, roles and certificate. Only the Deployment is left out, so that /proc shows the process.
"""
import base64
import json
import os
import re
import subprocess
import time
import urllib.request

import yaml

from measure import cpu_seconds, free_port
from streamjob_e2e import environment
from streamjob_e2e.environment import ROOT
from streamjob_e2e.waiting import Hopeless, wait_until

SYSTEM, RELEASE = "streamjob-system", "streamjob"
LEFT_OUT = {"Deployment", "PodDisruptionBudget", "ServiceMonitor", "NetworkPolicy"}
ACCOUNT = f"system:serviceaccount:{SYSTEM}:{RELEASE}-operator"
VALUES = ("replicaCount=1,workerImage.repository=localhost/none,workerImage.tag=none,"
          "fullnameOverride=streamjob-operator,"
          "leaderElection.leaseDuration=15s,leaderElection.renewDeadline=10s,"
          "leaderElection.retryPeriod=2s")


def memory_kib(pid):
    """{"rss", "anon", "peak"} in KiB: all, without files, largest so far."""
    names = {"VmRSS": "rss", "RssAnon": "anon", "VmHWM": "peak"}
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            name = names.get(line.split(":")[0])
            if name:
                found[name] = int(line.split()[1])
    return found


class Install:
    """The chart's objects in the cluster, and its files in `folder`."""

    def __init__(self, kubectl, env, folder):
        self.folder = folder
        rendered = subprocess.run(
            ["helm", "template", RELEASE, os.path.join(ROOT, "charts/streamjob-operator"), "-n", SYSTEM,
             "--kube-version", "1.34.0",
             "--set", VALUES], env={**os.environ, **env}, check=True, capture_output=True, text=True)
        things = [t for t in yaml.safe_load_all(rendered.stdout) if t and t["kind"] not in LEFT_OUT]
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
        kubectl.apply(*things)
        kubectl.run("apply", "--server-side", "-f", os.path.join(ROOT, "crds", "bases"))
        self._files(things)
        self.account = next(t["metadata"]["name"] for t in things if t["kind"] == "ServiceAccount")
        assert ACCOUNT.endswith(f":{self.account}"), self.account
        self._kubeconfig(kubectl, env["KUBECONFIG"])

    def _files(self, things):
        secret = next(t for t in things if t["kind"] == "Secret")
        for name, data in secret["data"].items():
            path = self.path(name)
            with open(path, "wb", opener=lambda p, f: os.open(p, f, 0o600)) as out:
                out.write(base64.b64decode(data))
        config = next(t for t in things if t["kind"] == "ConfigMap")
        with open(self.path("operator.yaml"), "w", encoding="utf-8") as out:
            out.write(config["data"]["operator.yaml"])
        self.service = re.match(r"https://([^:/]+)", yaml.safe_load(
            config["data"]["operator.yaml"])["control"]["url"])[1]

    def _kubeconfig(self, kubectl, admin):
        token = kubectl.run("create", "token", self.account, "-n", SYSTEM, "--duration=24h").strip()
        with open(admin, encoding="utf-8") as text:
            config = yaml.safe_load(text)
        config["users"][0]["user"] = {"token": token}
        with open(self.path("kubeconfig"), "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as out:
            yaml.safe_dump(config, out)

    def path(self, name):
        return os.path.join(self.folder, name)


class OperatorProcess:
    """One streamjob-operator, with leader election, ports of its own."""

    def __init__(self, install):
        self.install, self.process, self.lives = install, None, 0
        self.control_port, self.http_port = free_port(), free_port()

    def start(self):
        files = self.install.path
        self.lives += 1
        command = [environment.operator_program(), "--config", files("operator.yaml"), "--kubeconfig",
                   files("kubeconfig"), "--cert-file", files("tls.crt"), "--key-file", files("tls.key"),
                   "--ca-file", files("ca.crt"), "--lease-namespace", SYSTEM,
                   "--control-address", "127.0.0.1", "--control-port", str(self.control_port),
                   "--health-address", "127.0.0.1", "--health-port", str(self.http_port)]
        with open(self.log_path(), "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return time.monotonic()

    def log_path(self):
        return self.install.path(f"operator{self.lives}.log")

    def said(self, message):
        """The first record of this life's log with this message, or None."""
        with open(self.log_path(), encoding="utf-8", errors="replace") as text:
            for line in text:
                if f'"{message}"' in line:
                    return json.loads(line)
        return None

    def wait_leading(self, seconds=60):
        def leads():
            if self.process.poll() is not None:
                raise Hopeless(f"the operator has ended, see {self.log_path()}")
            return self.said("reconciling")
        wait_until("the operator to lead", leads, seconds, 0.02)

    def stop(self):
        """SIGTERM; returns the seconds to its end."""
        begun = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        return round(time.monotonic() - begun, 2)

    def memory(self):
        return memory_kib(self.process.pid)

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def metrics(self):
        """{name{labels}: value}"""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def idle(self):
        """No key waits and none runs."""
        values = self.metrics()
        return all(v == 0 for k, v in values.items()
                   if k.startswith(("workqueue_depth", "controller_runtime_active_workers")))

    def millicores(self, seconds):
        """CPU over the next `seconds`."""
        before, begun = self.cpu(), time.monotonic()
        time.sleep(seconds)  # the span is what is measured
        return round((self.cpu() - before) / (time.monotonic() - begun) * 1000, 1)
