# SPDX-License-Identifier: Apache-2.0
"""What the pods of a namespace log, also those that are gone by the time somebody asks.

kubelet removes a pod's logs with the pod. Its log folders lie on this machine, so each file is opened
soon after it appears, and stays readable as long as it is held open.

    <folder of a node>/podlogs/<namespace>_<pod>_<uid>/<container>/<restart>.log
    2026-01-01T00:00:00.000000000Z stdout F a whole line
    2026-01-01T00:00:00.000000000Z stdout P the beginning of a long one
"""
import glob
import os
import threading

EVERY = 0.2  # a pod that lived shorter is missed


class PodLogs:
    """Thread-safe after construction. `nodes` is the pattern of the nodes' folders."""

    def __init__(self, nodes, namespace):
        self._pattern = os.path.join(nodes, "podlogs", f"{namespace}_*", "*", "*.log*")
        self._files, self._lock, self._ended = {}, threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._ended.set()
        self._thread.join()
        with self._lock:
            for _, _, file in self._files.values():
                file.close()
            self._files.clear()

    def texts(self):
        """(pod, process, text) of every container instance seen, in the order they appeared."""
        self._look()
        with self._lock:
            found = {}
            for pod, process, file in self._files.values():
                file.seek(0)
                found.setdefault((pod, process), []).append(lines_of(file.read()))
        return [(pod, process, "".join(parts)) for (pod, process), parts in found.items()]

    def _run(self):
        while not self._ended.wait(EVERY):
            self._look()

    def _look(self):
        with self._lock:
            for path in sorted(glob.glob(self._pattern)):
                try:
                    seen = os.stat(path)
                    # A file that is rotated keeps its inode under another name.
                    if (seen.st_dev, seen.st_ino) not in self._files and not path.endswith(".gz"):
                        file = open(path, encoding="utf-8", errors="replace")  # pylint: disable=consider-using-with
                        self._files[seen.st_dev, seen.st_ino] = (*_names(path), file)
                except FileNotFoundError:
                    continue  # gone between two looks


def _names(path):
    """The pod, and the process: the pod with the beginning of its UID and the container's number."""
    folder, number = os.path.dirname(path), os.path.basename(path).split(".")[0]
    _, pod, uid = os.path.basename(os.path.dirname(folder)).split("_")
    return pod, f"{pod}.{uid[:8]}.{number}"


def lines_of(text):
    """What was written, of kubelet's form of it."""
    out = []
    for line in text.splitlines():
        fields = line.split(" ", 3)
        if len(fields) == 4:
            out.append(fields[3] + ("" if fields[2].startswith("P") else "\n"))
    return "".join(out)
