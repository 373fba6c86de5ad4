# SPDX-License-Identifier: Apache-2.0
"""Writes made-up user events to Kafka: a fixed number from a seed, or a live feed at a rate.

    python -m streamjob_e2e.loadgen --bootstrap HOST:PORT --events 2000000 --seed 1
    python -m streamjob_e2e.loadgen --bootstrap HOST:PORT --live --rate 2000

The producer is idempotent: a broker that goes away and comes back makes no duplicates in the input.
"""
import argparse
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

from streamjob_e2e import events, topics

FLUSH_SECONDS = 120
# Seconds of load for a scenario that ends it when it has seen enough: more than any of them takes, since
# a job without input ends no epoch.
LONG = 200
BATCH = 5000


def make_producer(bootstrap):
    return Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4",
        "linger.ms": 20, "batch.size": 1_000_000, "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 262_144, "message.timeout.ms": FLUSH_SECONDS * 1000})


class Writer:
    """Sends batches and counts what the broker refused. Owned by one thread."""

    def __init__(self, bootstrap, topic):
        self.producer, self.topic, self.failed = make_producer(bootstrap), topic, 0

    def _delivered(self, error, _message):
        if error is not None:
            self.failed += 1

    def send(self, partition, pairs):
        messages = [{"key": key, "value": value} for key, value in pairs]
        while messages:
            queued = self.producer.produce_batch(self.topic, messages, partition=partition,
                                                 on_delivery=self._delivered)
            messages = [{"key": m["key"], "value": m["value"]} for m in messages if "_error" in m]
            if queued == 0:
                self.producer.poll(0.05)  # the queue is full
        self.producer.poll(0)

    def close(self, shape):
        for partition in range(shape.partitions):
            self.send(partition, [("closing", events.closing(shape))])

    def finish(self):
        left = self.producer.flush(FLUSH_SECONDS)
        if left or self.failed:
            raise KafkaException(f"{left + self.failed} events were not written to {self.topic}")


def _pace(started, sent, rate, stop):
    """Waits until `sent` events are due at `rate` a second."""
    ahead = started + sent / rate - time.monotonic()
    if ahead > 0:
        stop.wait(ahead)


def live_clock(rate, backlog, sent):
    """The time of events of a live feed, in ms: as if it had begun `backlog` seconds ago. `sent()` is how many
    there are; those of the past come at once, each with the time it would have had."""
    begun = time.time() - backlog
    return lambda: int(1000 * (min(time.time(), begun + sent() / rate) if rate else time.time()))


def write(bootstrap, topic, shape, rate=0, live=False, close=True, stop=None, backlog=0):
    """Writes all events of `shape`, then the closing records. Returns how many events were written.

    `rate` 0 is as fast as it goes. `stop` ends it early, closing records included. For `backlog` see
    live_clock.
    """
    stop = stop or threading.Event()
    writer, sent, started = Writer(bootstrap, topic), 0, time.monotonic() - backlog
    clock = live_clock(rate, backlog, lambda: sent) if live else None
    size = min(BATCH, max(1, rate // 20)) if rate else BATCH
    for batch in events.batches(shape, size, clock):
        for partition, pairs in enumerate(batch):
            if pairs:
                writer.send(partition, pairs)
                sent += len(pairs)
        if rate:
            _pace(started, sent, rate, stop)
        if stop.is_set():
            break
    if close and not live:
        writer.close(shape)
    writer.finish()
    return sent


def write_closing(bootstrap, topic, shape):
    """The closing records alone."""
    writer = Writer(bootstrap, topic)
    writer.close(shape)
    writer.finish()


class Background:
    """The same in a thread: `with Background(...) as load`, then `load.finish()`."""

    def __init__(self, bootstrap, topic, shape, **options):
        self._stop, self.error, self.written = threading.Event(), None, 0
        self._thread = threading.Thread(
            target=self._run, args=(bootstrap, topic, shape, options), daemon=True)

    def _run(self, bootstrap, topic, shape, options):
        try:
            self.written = write(bootstrap, topic, shape, stop=self._stop, **options)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(FLUSH_SECONDS)

    def running(self):
        return self._thread.is_alive()

    def end(self):
        """Ends it early, closing records included."""
        self._stop.set()
        return self.finish()

    def finish(self, seconds=600):
        """Waits for all events; raises what went wrong."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"the load is not written after {seconds} s")
        if self.error:
            raise self.error
        return self.written


def main():
    parser = argparse.ArgumentParser(prog="loadgen", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", default="user-events")
    parser.add_argument("--events", type=int, default=0, help="0: no end, only with --live")
    parser.add_argument("--rate", type=int, default=0, help="events a second; 0: as fast as it goes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--span", type=int, default=1800, help="event time covered, in seconds")
    parser.add_argument("--live", action="store_true", help="event time is now; no closing records")
    parser.add_argument("--backlog", type=int, default=0,
                        help="with --live and --rate: as if begun so many seconds ago")
    parser.add_argument("--no-close", action="store_true", help="leave the last windows open")
    parser.add_argument("--create-topic", action="store_true")
    args = parser.parse_args()
    if args.events == 0 and not args.live:
        parser.error("--events is needed without --live")
    if args.backlog and not (args.live and args.rate):
        parser.error("--backlog is for --live with --rate")
    if args.create_topic:
        topics.create(args.bootstrap, args.topic, args.partitions)
    shape = events.Shape(events=args.events, seed=args.seed, partitions=args.partitions,
                         users=args.users, span=args.span * 1000)
    started = time.monotonic()
    try:
        sent = write(args.bootstrap, args.topic, shape, args.rate, args.live, not args.no_close,
                     backlog=args.backlog)
    except KeyboardInterrupt:
        return 130
    seconds = time.monotonic() - started
    print(f"{sent} events in {seconds:.1f} s, {sent / seconds:.0f}/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
