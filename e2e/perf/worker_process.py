# SPDX-License-Identifier: Apache-2.0
"""When a worker's process was made, and where the time of its start went, by its own log."""
import calendar
import json
import os
import threading
import time

from streamjob_e2e.pod_process import pid_of

TICKS = os.sysconf("SC_CLK_TCK")
BIRTH_SECONDS_MAX = 60


def born(pid):
    """When a process was made, seconds since 1970, by the kernel's clock (to 10 ms)."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / TICKS


class Births(threading.Thread):
    """Waits for the next worker process of a pod; `born` is then when it was made."""

    def __init__(self, pod):
        super().__init__(daemon=True)
        self._pod, self._old, self.born = pod, pid_of(pod), None

    def run(self):
        end = time.monotonic() + BIRTH_SECONDS_MAX
        while time.monotonic() < end:
            try:
                self.born = born(pid_of(self._pod, self._old))
                return
            except (LookupError, OSError):
                time.sleep(0.02)


def log_lines(kubectl, pod):
    """[{"at", "message", ...}] of a pod's present container: the operator has workers write JSON."""
    text = kubectl.run("logs", "-n", pod["metadata"]["namespace"], pod["metadata"]["name"],
                       "--tail=2000")
    found = []
    for line in text.splitlines():
        try:
            record = json.loads(line)
            record["at"] = calendar.timegm(time.strptime(record["time"][:19], "%Y-%m-%dT%H:%M:%S"))
            record["at"] += int(record["time"][20:23]) / 1000
        except (ValueError, KeyError, TypeError):
            continue
        found.append(record)
    return found


def split(killed, process_born, first_output, kubectl, pod):
    """Where the seconds went, each since the kill, by the new process's own log."""
    lines = [l for l in log_lines(kubectl, pod) if l["at"] > killed]
    when = lambda message: next((round(l["at"] - killed, 2) for l in lines
                                 if l["message"] == message), None)
    row = {"process": round(process_born - killed, 2), "assigned": when("assigned"),
           "restored": when("restored"), "running": when("running"),
           "first output": round(first_output - killed, 2)}
    running = next((l for l in lines if l["message"] == "running"), None)
    row.update((name, value) for name, value in (running or {}).items() if name.endswith("_ms"))
    return row
