# SPDX-License-Identifier: Apache-2.0
"""A job under steady load with keyed state, and everything its output says.

One stream of events of three kinds, written to known partitions: `echo` comes out as it is, so its
output pauses only when the worker that reads its partition does; `tick` is counted by key in windows of
a second, so its output waits for the slowest worker, as any event time does; `bulk` goes into windows
that never close: the state. Each echo and each tick is checked: once, and right.
"""
import bisect
import collections
import ctypes
import json
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from streamjob_e2e import events, loadgen, topics

PARTITIONS, TICK_KEYS = 8, 200
# Of ten events.
KINDS = ("echo",) * 5 + ("tick",) * 3 + ("bulk",) * 2
WINDOW_MS = 1000
BULK_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd: other digits for every number

SOURCE = """CREATE TABLE events (
  kind STRING,
  id STRING,
  part BIGINT,
  n BIGINT,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH ('connector'='kafka', 'topic'='{source}', 'properties.bootstrap.servers'='{brokers}',
  'format'='json', 'scan.startup.mode'='earliest-offset');
"""
ECHO = """CREATE TABLE echoes (part BIGINT, n BIGINT)
WITH ('connector'='kafka', 'topic'='{sink}-echo', 'properties.bootstrap.servers'='{brokers}',
  'format'='json');
INSERT INTO echoes SELECT part, n FROM events WHERE kind = 'echo'{also};
"""
TICK = """CREATE TABLE ticks (id STRING, window_start TIMESTAMP(3), events BIGINT, total BIGINT)
WITH ('connector'='kafka', 'topic'='{sink}-tick', 'properties.bootstrap.servers'='{brokers}',
  'format'='json');
INSERT INTO ticks SELECT id, TUMBLE_START(ts, INTERVAL '1' SECOND), COUNT(*), SUM(n)
FROM events WHERE kind = 'tick' GROUP BY id, TUMBLE(ts, INTERVAL '1' SECOND);
"""
BULK = """CREATE TABLE years (id STRING, window_start TIMESTAMP(3), events BIGINT, total BIGINT)
WITH ('connector'='kafka', 'topic'='{sink}-bulk', 'properties.bootstrap.servers'='{brokers}',
  'format'='json');
INSERT INTO years SELECT id, TUMBLE_START(ts, INTERVAL '90' DAY), COUNT(*), SUM(n)
FROM events WHERE kind = 'bulk' GROUP BY id, TUMBLE(ts, INTERVAL '90' DAY);
"""


def bulk_id(number):
    """A key of 44 characters that does not compress much."""
    return f"bulk-{number:09d}-{number * BULK_SPREAD % (1 << 120):030x}"


def sql(brokers, source, sink, also=""):
    """`also` narrows the echoes: a change under which the state stays valid."""
    names = {"brokers": brokers, "source": source, "sink": sink, "also": also}
    return "".join(text.format(**names) for text in (SOURCE, ECHO, TICK, BULK))


def part_owner(partition, workers, count=PARTITIONS):
    """The worker that reads an input partition (worker/types/key_group.h)."""
    return ((partition + 1) * workers - 1) // count


def key_owner(key, workers, shards, groups):
    """The worker that holds a key of one STRING column."""
    data = b"\x01" + key.encode() + b"\x00\x00"
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    group = library.XXH3_64bits(data, len(data)) * groups >> 64
    return part_owner(group // (groups // shards), workers, shards)


class Feed(threading.Thread):
    """Writes the events, `bulk_keys` of them in advance, and remembers what must come out."""

    def __init__(self, bootstrap, topic, rate, bulk_keys):
        super().__init__(daemon=True)
        self._writer = loadgen.Writer(bootstrap, topic)
        self._rate, self._bulk_keys, self._ended = rate, bulk_keys, threading.Event()
        self.echoes = [0] * PARTITIONS  # how many were written, by partition
        self.ticks = {}                 # (key, window) -> [count, sum]
        self._number = self._ticks = self._bulks = 0

    def prefill(self):
        """Every bulk key once."""
        for begin in range(0, self._bulk_keys, 20_000):
            now = events.to_text(time.time_ns() // 1_000_000)
            batch = [[] for _ in range(PARTITIONS)]
            for i in range(begin, min(begin + 20_000, self._bulk_keys)):
                name = bulk_id(i)
                batch[i % PARTITIONS].append(
                    (name, f'{{"kind":"bulk","id":"{name}","part":0,"n":1,"ts":"{now}"}}'))
            self._send(batch)
        self._writer.finish()

    def _send(self, batch):
        for partition, pairs in enumerate(batch):
            if pairs:
                self._writer.send(partition, pairs)

    def _event(self, partition, ms, text):
        self._number += 1
        number, kind = self._number, KINDS[self._number // PARTITIONS % len(KINDS)]
        if kind == "echo":
            name, value = "echo", self.echoes[partition]
            self.echoes[partition] += 1
        elif kind == "tick":
            self._ticks += 1
            name, value = f"key-{self._ticks % TICK_KEYS:04d}", number % 1000
            cell = self.ticks.setdefault((name, ms - ms % WINDOW_MS), [0, 0])
            cell[0] += 1
            cell[1] += value
        else:
            self._bulks += 7919
            name, value = bulk_id(self._bulks % max(1, self._bulk_keys)), 1
        return name, (f'{{"kind":"{kind}","id":"{name}","part":{partition},"n":{value},'
                      f'"ts":"{text}"}}')

    def run(self):
        begun, sent, step = time.monotonic(), 0, max(PARTITIONS, self._rate // 20)
        while not self._ended.is_set():
            ms = time.time_ns() // 1_000_000
            text = events.to_text(ms)
            batch = [[] for _ in range(PARTITIONS)]
            for i in range(step):
                batch[i % PARTITIONS].append(self._event(i % PARTITIONS, ms, text))
            self._send(batch)
            self._writer.producer.flush(0)
            sent += step
            self._ended.wait(max(0, begun + sent / self._rate - time.monotonic()))
        self._writer.finish()

    def end(self):
        self._ended.set()
        self.join(120)


class Output(threading.Thread):
    """Reads what is committed, as it is committed."""

    def __init__(self, bootstrap, sink):
        super().__init__(daemon=True)
        self._names = [f"{sink}-echo", f"{sink}-tick"]
        self._ended = threading.Event()
        self.echo_seen = [[] for _ in range(PARTITIONS)]   # by input partition: when a batch was seen
        self.tick_seen = collections.defaultdict(list)     # by key: when a row was seen
        self.out_seen = collections.defaultdict(list)      # by output partition of the echoes
        self.echoes = [collections.Counter() for _ in range(PARTITIONS)]
        self.ticks = collections.defaultdict(list)         # (key, window) -> [(count, sum)]
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "control-bench",
                                   "isolation.level": "read_committed", "fetch.wait.max.ms": 10,
                                   "enable.auto.commit": False, "check.crcs": True})
        self._consumer.assign([TopicPartition(name, p, OFFSET_BEGINNING) for name in self._names
                               for p in topics.partitions_of(bootstrap, name)])

    def run(self):
        while not self._ended.is_set():
            messages = [m for m in self._consumer.consume(5000, 0.02) if m.error() is None]
            now = time.time()
            for message in messages:
                row = json.loads(message.value())
                if message.topic() == self._names[0]:
                    self._echo(row, now, message.partition())
                else:
                    self._tick(row, now)
        self._consumer.close()

    @staticmethod
    def _note(times, now):
        if not times or times[-1] != now:
            times.append(now)

    def _echo(self, row, now, partition):
        self.echoes[row["part"]][row["n"]] += 1
        self._note(self.echo_seen[row["part"]], now)
        self._note(self.out_seen[partition], now)

    def _tick(self, row, now):
        window = events.to_ms(row["window_start"][:19])
        self.ticks[row["id"], window].append((row["events"], row["total"]))
        self._note(self.tick_seen[row["id"]], now)

    def end(self):
        self._ended.set()
        self.join(30)


def longest_gap(times, begin, end):
    """The longest time without output that touches [begin, end]; None when there was none at all."""
    first = max(0, bisect.bisect_left(times, begin) - 1)
    last = bisect.bisect_right(times, end) + 1
    inside = times[first:last]
    return max((b - a for a, b in zip(inside, inside[1:])), default=None)


def wrong_rows(feed, output):
    """What is not exactly as written: a list of texts, empty when all is well. The load must have ended.

    Windows that the watermark has not closed are not looked at: those of the last seconds.
    """
    found = []
    for partition, (wrote, got) in enumerate(zip(feed.echoes, output.echoes)):
        lost = sum(1 for n in range(wrote) if n not in got)
        twice = sum(1 for count in got.values() if count > 1)
        if lost or twice or len(got) > wrote:
            found.append(f"partition {partition}: {lost} echoes lost, {twice} more than once")
    newest = max((window for _, window in feed.ticks), default=0)
    for key, (count, total) in feed.ticks.items():
        rows = output.ticks.get(key, [])
        if key[1] > newest - 5 * WINDOW_MS and not rows:
            continue
        if rows != [(count, total)]:
            found.append(f"{key}: want {(count, total)}, got {rows}")
    strange = set(output.ticks) - set(feed.ticks)
    return found[:20] + [f"{len(strange)} rows of windows that have no event"] * bool(strange)
