# SPDX-License-Identifier: Apache-2.0
"""streamjob-worker as a process of this machine: started, signalled and waited for by its pid."""
import json
import os
import signal
import subprocess
import urllib.request

from streamjob_e2e import environment
from streamjob_e2e.trace import records
from streamjob_e2e.waiting import PATIENCE, Hopeless, wait_until

# What run and serve give back (worker/main/exit_codes.h).
OK, FAILED, USAGE, FENCED = 0, 1, 2, 3
CRASHED = 137  # a failpoint's crash; a kill -9 is -9


class LocalWorker:
    """One `streamjob-worker run`. The log stays in the scenario's folder."""

    def __init__(self, folder, name, job_file, env=None, failpoints="", threads=2,
                 arguments=()):
        self.name, self.log_path = name, os.path.join(folder, f"{name}.log")
        command = [environment.worker_program(), "run", job_file, "--threads", str(threads),
                   "--listen", "127.0.0.1:0", *arguments]
        full = {**os.environ, **(env or {}), "STREAMJOB_LOG_LEVEL": "debug",
                "STREAMJOB_LOG_FORMAT": "json"}
        if failpoints:
            full["STREAMJOB_FAILPOINTS"] = failpoints
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, env=full, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=folder)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def running(self):
        return self.process.poll() is None

    def wait(self, seconds=60):
        """The exit code: 0 to 255, or less than 0 for a signal."""
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end: {self.log()[-2000:]}") from None

    def _signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self._signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, seconds=60):
        """SIGTERM: ends with its last epoch committed."""
        self._signal(signal.SIGTERM)
        return self.wait(seconds)

    def freeze(self):
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def frozen(self):
        """Whether the process is stopped, as after a failpoint's pause."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    def messages(self):
        """The log's records."""
        return records(self.log())

    def said(self, message):
        """The first record with this message, or None."""
        return next((m for m in self.messages() if m.get("message") == message), None)

    def status(self):
        port = self.said("listening")["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
            return json.load(answer)

    def wait_running(self, seconds=60):
        def seen():
            if not self.running():
                raise Hopeless(f"{self.name} ended with {self.process.returncode}: "
                               f"{self.log()[-2000:]}")
            return self.said("running")
        return wait_until(f"{self.name} to run", seen, seconds)

    def wait_epochs(self, count, seconds=60):
        """Until `count` more epochs are committed."""
        goal = wait_until("an epoch", lambda: self.status()["epoch"], seconds) + count
        wait_until(f"epoch {goal} of {self.name}", lambda: self.status()["epoch"] >= goal, seconds)

    def end(self):
        """For the end of a scenario: nothing stays, frozen or not."""
        if self.running():
            self.kill()
