# SPDX-License-Identifier: Apache-2.0
"""Processes under measurement: their CPU time and memory out of /proc, the machine's beside it.

CPU seconds are user and system time of the process with all threads. `others` is what the machine did
for anybody but the engine and the broker, in cores: above 0.2 a rate says little, CPU time says more.
"""
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
RUN_SECONDS_MAX = 180


def cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds():
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(x) for x in stat.readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / TICKS


def peak_mib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def pin(pid, cpus):
    """All threads of a process, those to come included."""
    subprocess.run(["taskset", "-a", "-c", "-p", cpus, str(pid)], check=True,
                   stdout=subprocess.DEVNULL)


def pinned(cpus, command):
    return ["taskset", "-c", cpus, *command] if cpus else command


def _status(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Watch:
    """Samples of one run: (seconds since start, events read, engine CPU, broker CPU, machine CPU)."""

    def __init__(self, pid, broker):
        self.pid, self.broker, self.started = pid, broker, time.monotonic()
        self.samples, self.peak, self.cpu = [], 0.0, 0.0
        self.broker_before, self.machine_before = cpu_seconds(broker), machine_seconds()

    def look(self, events):
        cpu = cpu_seconds(self.pid)
        if cpu is None:
            return
        self.cpu, self.peak = max(self.cpu, cpu), max(self.peak, peak_mib(self.pid))
        self.samples.append((time.monotonic() - self.started, events, self.cpu,
                             cpu_seconds(self.broker), machine_seconds()))

    def window(self):
        """Rate and CPU between 20 and 90 % of the events: without start and end."""
        known = [s for s in self.samples if s[1] is not None]
        # Counters move in steps: only the first sample that shows a value is at its time.
        steps = [s for i, s in enumerate(known) if i == 0 or s[1] != known[i - 1][1]]
        if not steps:
            return {}
        total = steps[-1][1]
        inside = [s for s in steps if .2 * total <= s[1] <= .9 * total]
        if len(inside) < 2 or inside[-1][0] - inside[0][0] < .5:
            return {}
        first, last = inside[0], inside[-1]
        events, seconds = last[1] - first[1], last[0] - first[0]
        return {"window_seconds": round(seconds, 2),
                "events_per_second": round(events / seconds),
                "cpu_seconds_per_million": round((last[2] - first[2]) / events * 1e6, 3),
                "broker_cpu_per_million": round((last[3] - first[3]) / events * 1e6, 3)}

    def end(self):
        seconds = time.monotonic() - self.started
        broker = cpu_seconds(self.broker) - self.broker_before
        others = (machine_seconds() - self.machine_before - self.cpu - broker) / seconds
        return {"seconds": round(seconds, 2), "cpu_seconds": round(self.cpu, 2),
                "broker_cpu_seconds": round(broker, 2), "others_cores": round(max(0, others), 2),
                "peak_rss_mib": round(self.peak, 1)}


def run_bare(command, cpus, broker):
    """bare_loop: it counts its own seconds."""
    with subprocess.Popen(pinned(cpus, command), stdout=subprocess.PIPE, text=True) as process:
        watch = Watch(process.pid, broker)
        while process.poll() is None and time.monotonic() - watch.started < RUN_SECONDS_MAX:
            watch.look(None)
            time.sleep(.02)
        process.kill()
        said = process.stdout.read()
    if process.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)} ended with {process.returncode}")
    own, result = json.loads(said), watch.end()
    result.update(own, events_per_second=round(own["events"] / own["seconds"]),
                  cpu_seconds_per_million=round(result["cpu_seconds"] / own["events"] * 1e6, 3))
    return result


def _until_first_record(process, port, watch):
    """(to the log's `running`, to the first record counted), seconds since exec."""
    while process.poll() is None and time.monotonic() - watch.started < RUN_SECONDS_MAX:
        status = _status(port)
        if status and status["recordsIn"] > 0:
            watch.look(status["recordsIn"])
            return status, round(time.monotonic() - watch.started, 3)
        time.sleep(.01)
    return {}, None


def run_worker(program, job, folder, cpus, threads, broker, env):
    """A bounded job: the worker ends by itself with 0 when the topic is read.

    Where the run is too short for a window, its rate is that of the whole process, start included.
    """
    port = free_port()
    command = [program, "run", job, "--threads", str(threads), "--checkpoint", env["CHECKPOINT"],
               "--data-dir", os.path.join(folder, "scratch"), "--listen", f"127.0.0.1:{port}"]
    log = os.path.join(folder, "worker.log")
    full = {**os.environ, **env, "STREAMJOB_LOG_FORMAT": "json"}
    with open(log, "wb") as out, subprocess.Popen(pinned(cpus, command), stdout=out, stderr=out,
                                                  env=full) as process:
        watch = Watch(process.pid, broker)
        last, first_record = _until_first_record(process, port, watch)
        while process.poll() is None and time.monotonic() - watch.started < RUN_SECONDS_MAX:
            status = _status(port)
            last = status or last
            watch.look(status["recordsIn"] if status else None)
            time.sleep(.05)
        cut = process.poll() is None
        if cut:
            process.kill()
    if cut or process.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as text:
            raise SystemExit(f"bench: the worker ended with {process.returncode}: {text.read()[-3000:]}")
    whole, events = watch.end(), last.get("recordsIn", 0)
    result = {**whole, "events_per_second": round(events / whole["seconds"]),
              "cpu_seconds_per_million": round(whole["cpu_seconds"] / events * 1e6, 3),
              **watch.window(), "first_record_seconds": first_record}
    checkpoint = last.get("checkpoint", {})
    epochs = max(1, checkpoint.get("epochs", 0))
    result.update(epochs=checkpoint.get("epochs", 0), rows_out=last.get("rowsOut"),
                  late_rows=last.get("lateRows"), state_bytes=last.get("stateBytes"),
                  puts_per_epoch=round(checkpoint.get("puts", 0) / epochs, 2),
                  bytes_per_epoch=round(checkpoint.get("bytesTotal", 0) / epochs))
    return result
