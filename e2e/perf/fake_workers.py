# SPDX-License-Identifier: Apache-2.0
"""fake_workers: workers of fake pods, as the operator's control endpoint sees them, and nothing else.

    fake_workers.py PLAN.json     {"url": .., "ca": .., "name": .., "hold_ms": .., "workers": [
                                   {"namespace", "job", "uid", "ordinal", "token", "spec_hash"}]}

Each holds one TLS connection, registers until it gets an assignment, reports Fenced, waits for START,
asks for the generation, then reports Running by long poll: an epoch for every second that has passed,
no lag. After SIGUSR1 there is no more input: the epoch stays, its time goes on, as a real worker says it.
Prints a JSON line whenever the number of running workers has changed, until it is ended. One process, one
thread.
"""
import asyncio
import json
import secrets
import signal
import ssl
import sys
import time
import urllib.parse

PARTITIONS = {"user-events": 8}
RETRY_SECONDS = 1.0
CALL_SECONDS = 60


class Gone(Exception):
    """The connection ended."""


class Line:
    """One kept connection; requests one after another."""

    def __init__(self, plan, tls):
        url = urllib.parse.urlsplit(plan["url"])
        self._to, self._tls, self._name = (url.hostname, url.port), tls, plan["name"]
        self._reader = self._writer = None

    def close(self):
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    async def _open(self):
        self._reader, self._writer = await asyncio.open_connection(
            *self._to, ssl=self._tls, server_hostname=self._name)

    async def call(self, method, target, token, body=None):
        """(status, message)"""
        if self._writer is None:
            await self._open()
        data = json.dumps(body).encode() if body is not None else b""
        self._writer.write((f"{method} {target} HTTP/1.1\r\nHost: {self._name}\r\n"
                            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(data)}\r\n\r\n").encode() + data)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in head[1:])}
        text = await self._reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        status = int(head[0].split()[1])
        return status, json.loads(text) if status == 200 else text[:200].decode(errors="replace")


class Worker:
    """One worker's life; `board` counts those that run."""

    def __init__(self, plan, tls, who, board):
        self.line, self.who, self.board, self.hold = Line(plan, tls), who, board, plan["hold_ms"]
        self.incarnation, self.sequence, self.epoch, self.started = secrets.token_hex(8), 0, 0, 0.0
        self.generation = self.known = self.known_started = 0

    def _ref(self):
        who = self.who
        return {"job": {"namespace": who["namespace"], "name": who["job"], "uid": who["uid"]},
                "ordinal": who["ordinal"], "incarnation": self.incarnation}

    async def _call(self, method, target, body=None):
        """The message of a 200, or None after a pause."""
        try:
            status, message = await asyncio.wait_for(
                self.line.call(method, target, self.who["token"], body), CALL_SECONDS)
            if status == 200:
                return message
            self.board.note(f"{status} {message}")
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            self.line.close()
            self.board.note(f"{type(error).__name__}: {error}")
        await asyncio.sleep(RETRY_SECONDS)
        return None

    async def register(self):
        request = {"protocol": 1, "worker": self._ref(), "workerVersion": "fake",
                   "specHash": self.who["spec_hash"], "planHash": "0" * 16, "partitions": PARTITIONS}
        while True:
            answer = await self._call("POST", "/control/v1/register", request)
            if answer and answer.get("assignment"):
                self.known = self.generation = answer["assignment"]["generation"]
                self.known_started = answer.get("startedGeneration", 0)
                return
            if answer:
                await asyncio.sleep(answer.get("retryAfterMs", 1000) / 1000)

    async def beat(self, phase):
        self.sequence += 1
        now = time.time()
        report = {"protocol": 1, "worker": self._ref(), "sequence": self.sequence, "phase": phase,
                  "generation": self.generation, "holdMs": self.hold, "knownGeneration": self.known,
                  "knownStartedGeneration": self.known_started, "knownCommand": "none"}
        if phase == "Running":
            self.epoch = int(now - self.started) if self.board.input else self.epoch
            report.update(epoch=self.epoch, lagRecords=0, recordsIn=self.epoch * 1000,
                          lastEpochTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
                          lastEpochDurationMs=50, lastEpochBytes=1000, stateBytes=100_000,
                          recordsOut=self.epoch * 10, busyRatio=0.1)
        answer = await self._call("POST", "/control/v1/heartbeat", report)
        if answer:
            self.known = max(self.known, answer["generation"])
            self.known_started = max(self.known_started, answer["startedGeneration"])

    async def live(self):
        await self.register()
        while self.known_started < self.generation:
            await self.beat("Fenced")
        who = self.who
        query = urllib.parse.urlencode(
            {"namespace": who["namespace"], "job": who["job"], "uid": who["uid"]})
        while await self._call("GET", f"/control/v1/generation?{query}") is None:
            pass
        self.started = time.time()
        self.board.running += 1
        while self.known == self.generation:
            await self.beat("Running")
        self.board.running -= 1
        self.line.close()


class Board:
    """Counts; the first words of each kind of failure."""

    def __init__(self):
        self.running, self.failures, self.samples, self.input = 0, 0, {}, True

    def end_input(self):
        self.input = False

    def note(self, text):
        self.failures += 1
        if len(self.samples) < 20:
            self.samples[text[:80]] = self.samples.get(text[:80], 0) + 1

    async def show(self):
        said = None
        while True:
            now = {"running": self.running, "failures": self.failures}
            if now != said:
                print(json.dumps({**now, "samples": self.samples}), flush=True)
                said = now
            await asyncio.sleep(0.5)


async def run(plan):
    tls = ssl.create_default_context(cafile=plan["ca"])
    board = Board()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, board.end_input)
    workers = [Worker(plan, tls, who, board) for who in plan["workers"]]
    await asyncio.gather(board.show(), *(worker.live() for worker in workers))


def main():
    with open(sys.argv[1], encoding="utf-8") as text:
        plan = json.load(text)
    asyncio.run(run(plan))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
