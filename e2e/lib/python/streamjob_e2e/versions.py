# SPDX-License-Identifier: Apache-2.0
"""The version before this one beside this one, and how a cluster goes from one to the other."""
import os
import subprocess

from streamjob_e2e import environment
from streamjob_e2e.cluster import CHART, CRDS, IMAGES, TAG, VALUES
from streamjob_e2e.waiting import NotYet, wait_until

OLD, NEW = "e2e-previous", TAG
BUILD_SECONDS = 3600
NO_COMMIT = 3  # the exit code of e2e/lib/previous


class NoPreviousVersion(Exception):
    """This clone does not have it; the text says what to do."""


def previous():
    """The folder with programs, chart and CRDs of the version before."""
    done = subprocess.run([os.path.join(environment.LIB, "previous"), "build"], capture_output=True,
                          text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode == NO_COMMIT:
        raise NoPreviousVersion(done.stderr.strip())
    if done.returncode != 0:
        raise AssertionError(f"e2e/lib/previous build ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout.strip()


class Versions:
    """Both versions on the nodes of a cluster. Versions are named by the tag of their images."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self._charts = {OLD: os.path.join(folder, "charts", "streamjob-operator"), NEW: CHART}
        self._crds = {OLD: os.path.join(folder, "crds", "bases"), NEW: CRDS}
        for image in IMAGES:
            cluster.load_image(f"{image}:{OLD}", os.path.join(folder, os.path.basename(image)))

    def crds(self, version):
        self.cluster.apply_crds(self._crds[version])

    def chart(self, version, workers, **changes):
        """Chart and operator of one version, and the image that workers get when their job names none."""
        self.cluster.release(self._charts[version], {
            "image.tag": version, "workerImage.tag": workers, **changes}, ("--wait", "--timeout=100s"))
        wait_until(f"an operator {version} that leads", lambda: self._leads(version), 120, 1)

    def restore(self):
        """What the other scenarios find."""
        self.crds(NEW)
        self.chart(NEW, NEW)

    def _leads(self, version):
        images = [pod["spec"]["containers"][0]["image"] for pod in self.cluster.operator_pods()]
        wanted = [f"localhost/streamjob-operator:{version}"] * VALUES["replicaCount"]
        return (images == wanted and self.cluster.operator_ready() and self.cluster.leader()) or NotYet(
            f"{images}, leader {self.cluster.leader()}")
