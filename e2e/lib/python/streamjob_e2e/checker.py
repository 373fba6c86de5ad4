# SPDX-License-Identifier: Apache-2.0
"""The independent check of "purchases per minute": input and output topic, recomputed in Python.

    python -m streamjob_e2e.checker --bootstrap HOST:PORT --input user-events --output per-minute

Counts and sums, as decimals, the purchases of each user and minute whose window has fired by the
watermark rule (largest time of each partition less the delay, the smallest of all partitions), and
compares exactly: lost, duplicated, wrong and unexpected rows. Reads read_committed. Shares no code with
the engine.
"""
import argparse
import calendar
import dataclasses
import json
import sys
import time
from collections import Counter
from decimal import Decimal

from streamjob_e2e import topics

WINDOW_MS = 60_000
DELAY_MS = 5_000
SHOWN_MAX = 5


class BadInput(Exception):
    """The input cannot be judged: late records, or a partition without a watermark."""


def parse_time(text, cache={}):  # pylint: disable=dangerous-default-value
    """"2026-01-05 00:00:00[.123]" -> milliseconds. The cache is by second."""
    second = cache.get(text[:19])
    if second is None:
        if len(cache) > 100_000:
            cache.clear()
        parsed = time.strptime(text[:19].replace("T", " "), "%Y-%m-%d %H:%M:%S")
        second = cache[text[:19]] = calendar.timegm(parsed) * 1000
    return second + int((text[20:23] + "000")[:3]) if len(text) > 19 else second


class Expectation:
    """Takes the input record by record; `rows` is what must have come out."""

    def __init__(self, partitions, delay_ms=DELAY_MS, window_ms=WINDOW_MS):
        self.delay_ms, self.window_ms = delay_ms, window_ms
        self.records, self.largest = 0, dict.fromkeys(partitions, None)
        self._counts, self._sums = Counter(), {}

    def add(self, partition, value):
        event = json.loads(value, parse_float=Decimal)
        ms, largest = parse_time(event["event_time"]), self.largest[partition]
        self.records += 1
        if largest is None or ms > largest:
            self.largest[partition] = ms
        elif ms <= largest - self.delay_ms:
            raise BadInput(f"partition {partition}: {ms} is late by the rule; the check needs none")
        if event["event_type"] != "purchase":
            return
        key = (event["user_id"], ms - ms % self.window_ms)
        self._counts[key] += 1
        self._sums[key] = self._sums.get(key, Decimal(0)) + Decimal(event["amount"])

    def rows(self, finished=False):
        """{(user, window start): (count, sum)} of windows that fired; all, when the job is finished."""
        empty = [p for p, ms in self.largest.items() if ms is None]
        if not finished and empty:
            raise BadInput(f"partitions {empty} have no record: no watermark, no window fires")
        watermark = None if finished else min(self.largest.values()) - self.delay_ms
        return {key: (count, self._sums[key]) for key, count in self._counts.items()
                if finished or key[1] + self.window_ms - 1 <= watermark}


@dataclasses.dataclass
class Verdict:
    """What is wrong, each a list of (key, detail). Nothing: exact."""

    rows: int = 0
    lost: list = dataclasses.field(default_factory=list)
    duplicated: list = dataclasses.field(default_factory=list)
    wrong: list = dataclasses.field(default_factory=list)
    unexpected: list = dataclasses.field(default_factory=list)

    @property
    def exact(self):
        return not (self.lost or self.duplicated or self.wrong or self.unexpected)

    def __str__(self):
        parts = [f"{self.rows} rows"]
        for name in ("lost", "duplicated", "wrong", "unexpected"):
            found = getattr(self, name)
            if found:
                shown = "; ".join(f"{key}: {detail}" for key, detail in found[:SHOWN_MAX])
                parts.append(f"{len(found)} {name} ({shown})")
        return ", ".join(parts) if not self.exact else f"{parts[0]}, exact"


def parse_row(value):
    """One output record -> ((user, window start), (count, sum))."""
    row = json.loads(value, parse_float=Decimal)
    total = row["total_amount"]
    return ((row["user_id"], parse_time(row["window_start"])),
            (row["event_count"], None if total is None else Decimal(total)))


def compare(expected, output):
    """`expected` as of Expectation.rows, `output` a list of (key, (count, sum)) as it was written."""
    verdict = Verdict(rows=len(output))
    seen = {}
    for key, got in output:
        seen.setdefault(key, []).append(got)
    for key, want in expected.items():
        if key not in seen:
            verdict.lost.append((key, f"want {want[0]} and {want[1]}"))
    for key, gots in seen.items():
        if len(gots) > 1:
            verdict.duplicated.append((key, f"{len(gots)} times"))
        want = expected.get(key)
        for got in gots:
            if want is None:
                verdict.unexpected.append((key, f"got {got[0]} and {got[1]}"))
            elif got != want:
                verdict.wrong.append((key, f"want {want[0]} and {want[1]}, got {got[0]} and {got[1]}"))
    return verdict


class Check:
    """One input and one output topic, read as they grow."""

    def __init__(self, bootstrap, source, sink):
        self.bootstrap, self.sink = bootstrap, sink
        self._in, self._out = topics.Reader(bootstrap, source), topics.Reader(bootstrap, sink)
        self.expectation, self.output = Expectation(self._in.partitions), []

    def close(self):
        self._in.close()
        self._out.close()

    def read_output(self):
        """Reads what is new; returns the number of rows so far."""
        self.output += [parse_row(value) for _, value in self._out.read()]
        return len(self.output)

    def missing(self, finished=False):
        """How many expected rows are not there yet. Says nothing about too many."""
        self.read_input()
        self.read_output()
        have = {key for key, _ in self.output}
        return sum(key not in have for key in self.expectation.rows(finished))

    def read_input(self):
        for partition, value in self._in.read():
            self.expectation.add(partition, value)

    def verdict(self, finished=False):
        self.read_input()
        self.read_output()
        return compare(self.expectation.rows(finished), self.output)


def main():
    parser = argparse.ArgumentParser(prog="checker", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--finished", action="store_true", help="the job was bounded and has ended")
    args = parser.parse_args()
    check = Check(args.bootstrap, args.input, args.output)
    try:
        verdict = check.verdict(args.finished)
    finally:
        check.close()
    pending = topics.open_transactions(args.bootstrap, args.output)
    print(f"{check.expectation.records} events in, {verdict}")
    if pending:
        print(f"open transactions on partitions {sorted(pending)}")
    return 0 if verdict.exact and not pending else 1


if __name__ == "__main__":
    sys.exit(main())
