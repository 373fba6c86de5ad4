# SPDX-License-Identifier: Apache-2.0
"""Three nodes with our images and the operator, installed by its chart as a user would."""
import os
import subprocess
import tempfile

from streamjob_e2e import environment
from streamjob_e2e.environment import ROOT, script, setting
from streamjob_e2e.kubectl import Kubectl, condition
from streamjob_e2e.pod_logs import PodLogs
from streamjob_e2e.waiting import wait_until

NODES = 3
SYSTEM = "streamjob-system"
RELEASE = "streamjob"
TAG = "e2e"
CHART = os.path.join(ROOT, "charts", "streamjob-operator")
CRDS = os.path.join(ROOT, "crds", "bases")
IMAGES = {"localhost/streamjob-worker": environment.worker_program,
          "localhost/streamjob-operator": environment.operator_program}
# Failpoints that no worker passes by itself: a scenario here asks for a worker that dies there.
CRASHES = ("handover.after_adopt", "handover.after_release", "handover.before_take", "remains.fenced")
VALUES = {
    "replicaCount": 2, "image.repository": "localhost/streamjob-operator", "image.tag": TAG,
    "image.pullPolicy": "Never", "workerImage.repository": "localhost/streamjob-worker",
    "workerImage.tag": TAG, "workerImage.pullPolicy": "Never",
    "workerImagesAllowed": "{%s}" % ",".join(
        ["localhost/streamjob-broken:e2e", *(f"localhost/streamjob-worker:{point}" for point in CRASHES)]),
    # A machine shared by three nodes: a leader that is gone is missed sooner than in production.
    "leaderElection.leaseDuration": "8s", "leaderElection.renewDeadline": "6s",
    "leaderElection.retryPeriod": "1s",
}


class Cluster:
    def __init__(self, nodes=NODES):
        script("cluster", "up", "--nodes", nodes, seconds=environment.UP_SECONDS)
        self.env = environment.exports(script("cluster", "env"))
        self.kubectl = Kubectl(self.env)
        self._load_images()
        self._install()

    # --- bringing up ------------------------------------------------------------------------------

    def _load_images(self):
        for image, program in IMAGES.items():
            self.load_image(f"{image}:{TAG}", program())

    def crashing_worker(self, point):
        """The image of a worker that dies as by kill -9 whenever it comes to this failpoint."""
        image = f"localhost/streamjob-worker:{point}"
        assert point in CRASHES, point
        self.load_image(image, environment.worker_program(),
                        "--env", f"STREAMJOB_FAILPOINTS={point}=crash@1")
        return image

    def load_image(self, image, program, *options):
        """A program of ours on every node, as `image`."""
        folder = os.path.join(ROOT, "build", "e2e-images")
        os.makedirs(folder, exist_ok=True)
        tar = os.path.join(folder, f"{os.path.basename(image).replace(':', '-')}.tar")
        with tempfile.TemporaryDirectory() as links:
            # The chart and the operator start /streamjob-...; `image` puts programs elsewhere.
            name = os.path.basename(program)
            os.symlink(f"/usr/local/bin/{name}", os.path.join(links, name))
            script("image", image, tar, program, "--tzdata", "--to", f"{links}=/", *options)
        script("cluster", "load", tar)

    def _install(self):
        # Helm never changes a CRD that is there; an environment that was kept may have an old one.
        self.apply_crds()
        self.release()
        wait_until("the operator", self.operator_ready, 120)

    def apply_crds(self, folder=CRDS):
        self.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", folder)

    def release(self, chart=CHART, changes=None, arguments=()):
        """The release as this chart makes it, with VALUES and `changes` to them."""
        values = [f"{key}={value}" for key, value in {**VALUES, **(changes or {})}.items()]
        self.helm("upgrade", "--install", RELEASE, chart, "-n", SYSTEM, "--create-namespace",
                  "--set", ",".join(values), *arguments)

    def helm(self, *arguments):
        done = subprocess.run(["helm", *arguments], env={**os.environ, **self.env}, text=True,
                              capture_output=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout

    # --- the operator -----------------------------------------------------------------------------

    def operator_pods(self):
        return self.kubectl.items("pods", SYSTEM)

    def operator_ready(self):
        deployments = self.kubectl.items("deployments", SYSTEM)
        return bool(deployments) and all(
            condition(d, "Available").get("status") == "True" and
            d["status"].get("readyReplicas") == d["spec"]["replicas"] for d in deployments)

    def leader(self):
        """The pod that holds the Lease, or None."""
        holders = [lease["spec"].get("holderIdentity") or ""
                   for lease in self.kubectl.items("leases.coordination.k8s.io", SYSTEM)]
        pods = [pod["metadata"]["name"] for pod in self.operator_pods()]
        return next((pod for pod in pods if any(holder.startswith(pod) for holder in holders)), None)

    # --- faults -----------------------------------------------------------------------------------

    def pod_signal(self, namespace, pod, signal):
        script("cluster", "pod-signal", namespace, pod, signal)

    def cut(self, node):
        script("cluster", "cut", str(node).removeprefix("node"))

    def heal(self, node):
        script("cluster", "heal", str(node).removeprefix("node"))

    def part(self, action, name):
        """kill, start, pause or resume of a part of Kubernetes, such as kubelet1."""
        script("cluster", action, name)

    def nodes_ready(self):
        nodes = self.kubectl.items("nodes")
        return len(nodes) >= NODES and all(condition(n, "Ready").get("status") == "True"
                                           for n in nodes)

    # --- artifacts --------------------------------------------------------------------------------

    @staticmethod
    def pod_logs(namespace):
        """From now on, until it is closed."""
        return PodLogs(os.path.join(setting("STREAMJOB_RUN"), "node*"), namespace)

    def describe(self, namespace):
        """What a person would ask for, as (file name, how to get it)."""
        k = self.kubectl
        asked = [("objects.yaml", ["get", "streamjobs,sts,pods,cm,svc,sa,leases", "-n", namespace,
                                   "-o", "yaml"]),
                 ("describe.txt", ["describe", "streamjobs,pods", "-n", namespace]),
                 ("events.txt", ["get", "events", "-n", namespace, "--sort-by=.lastTimestamp"]),
                 ("nodes.txt", ["get", "nodes,pods", "-A", "-o", "wide"])]
        for name, arguments in asked:
            yield name, lambda a=arguments: [k.run(*a)]
        for where in (namespace, SYSTEM):
            for pod in k.items("pods", where):
                title = pod["metadata"]["name"]
                yield f"{title}.log", lambda w=where, t=title: [k.run("logs", "-n", w, t, "--tail=5000")]
                yield (f"{title}.previous.log",
                       lambda w=where, t=title: [k.run("logs", "-n", w, t, "--tail=5000", "-p")])
