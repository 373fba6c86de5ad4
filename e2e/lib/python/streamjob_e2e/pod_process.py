# SPDX-License-Identifier: Apache-2.0
"""Processes of worker pods on this machine: nodes are namespaces here, so /proc shows them all."""
import os


def pid_of(pod, not_this=None):
    """The pid, on this machine, of a pod's worker."""
    wanted = {f"POD_NAME={pod['metadata']['name']}".encode(),
              f"POD_NAMESPACE={pod['metadata']['namespace']}".encode()}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as cmdline:
                worker = cmdline.read().startswith(b"/streamjob-worker\0")
            with open(f"/proc/{entry}/environ", "rb") as environ:
                variables = set(environ.read().split(b"\0"))
        except OSError:
            continue
        if worker and wanted <= variables and int(entry) != not_this:
            return int(entry)
    raise LookupError(f"no process of pod {pod['metadata']['name']}")
