# SPDX-License-Identifier: Apache-2.0
"""Rules of the proxies that break things: which messages, how many of them, and what befalls them.

A proxy asks its rules for every message; the first that takes it acts, and without one the message
passes as it came. `act(message, rule)` runs on a thread of the proxy and may wait on the rule's gate,
which opens when the rule is released, and at the latest when the proxy is closed.
"""
import random
import threading
import time

from streamjob_e2e.waiting import TimedOut


class Rule:
    """Takes what `match` likes: not the first `skip`, then at most `times` (None: all), each by
    `chance` from a fixed seed. Thread-safe."""

    def __init__(self, match, act, skip=0, times=None, chance=1.0, seed=1):
        self.match, self.act = match, act
        self.gate = threading.Event()
        self._skip, self._times = skip, times
        self._chance, self._random = chance, random.Random(seed)
        self._changed = threading.Condition()
        self.hits, self.taken = 0, []

    def takes(self, message):
        if not self.match(message):
            return False
        with self._changed:
            if self._times is not None and self.hits >= self._times:
                return False
            if self._skip > 0:
                self._skip -= 1
                return False
            if self._random.random() >= self._chance:
                return False
            self.hits += 1
            self.taken.append((time.monotonic(), message))
            self._changed.notify_all()
            return True

    def wait(self, hits=1, seconds=60):
        """Until the rule has taken so many messages; returns the last of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, seconds):
                raise TimedOut(f"a rule was met {self.hits} times in {seconds} s, not {hits}")
            return self.taken[hits - 1][1]

    def release(self):
        """Opens the gate: what is held goes on."""
        self.gate.set()

    def end(self):
        """Takes nothing more, and lets go what it holds."""
        with self._changed:
            self._times = self.hits
        self.gate.set()


class Rules:
    """The rules of one proxy, in the order they were made. Thread-safe."""

    def __init__(self):
        self._lock, self._rules = threading.Lock(), []

    def add(self, rule):
        with self._lock:
            self._rules.append(rule)
        return rule

    def find(self, message):
        with self._lock:
            rules = list(self._rules)
        return next((rule for rule in rules if rule.takes(message)), None)

    def clear(self):
        with self._lock:
            rules, self._rules = self._rules, []
        for rule in rules:
            rule.end()
