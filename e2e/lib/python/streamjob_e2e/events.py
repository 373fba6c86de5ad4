# SPDX-License-Identifier: Apache-2.0
"""Made-up user events, the same bytes for the same seed.

Times rise from `start` over `span` and are out of order by less than `disorder` inside a partition, so
a watermark of that delay drops nothing. A closing record for each partition lies an hour behind the
last event: with it every window of the data fires.
"""
import calendar
import dataclasses
import random
import time

TYPES = ("purchase", "purchase", "purchase", "purchase", "purchase", "view", "view", "view", "click",
         "add_to_cart")
PRODUCTS = 500
CLOSING_AFTER_MS = 3_600_000


def to_ms(text):
    """"2026-01-05 00:00:00" in UTC -> milliseconds since 1970."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) * 1000


def to_text(ms):
    """The reverse, always with three digits of a second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the events of a run look like. Times in milliseconds."""

    events: int
    seed: int = 1
    partitions: int = 8
    users: int = 1000
    start: int = to_ms("2026-01-05 00:00:00")
    span: int = 1_800_000
    disorder: int = 4000


def _render(rng, users, ms, seconds):
    """One event as (user, JSON). `seconds` caches the text of whole seconds."""
    second, millis = divmod(ms, 1000)
    text = seconds.get(second)
    if text is None:
        text = seconds[second] = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
    cents = 1 + int(rng() * 99_999)
    user = f"user-{int(rng() * users):05d}"
    return user, (
        f'{{"user_id":"{user}","event_type":"{TYPES[int(rng() * 10)]}",'
        f'"product_id":"product-{int(rng() * PRODUCTS):04d}","amount":{cents // 100}.{cents % 100:02d},'
        f'"event_time":"{text}.{millis:03d}"}}')


def batches(shape, size=5000, clock=None):
    """Yields batches of about `size` events as a list by partition of lists of (key, value).

    `clock` gives the time of the events instead of the shape's start and span: for a live feed.
    `shape.events` 0 goes on for ever.
    """
    rng = random.Random(f"streamjob {shape.seed}").random
    seconds, number = {}, 0
    disorder, partitions, users = shape.disorder, shape.partitions, shape.users
    while shape.events == 0 or number < shape.events:
        count = size if shape.events == 0 else min(size, shape.events - number)
        batch = [[] for _ in range(partitions)]
        now = clock() if clock else None
        for _ in range(count):
            base = now if clock else shape.start + number * shape.span // max(1, shape.events)
            ms = base - int(rng() * disorder)
            batch[int(rng() * partitions)].append(_render(rng, users, ms, seconds))
            number += 1
        if len(seconds) > 100_000:
            seconds.clear()
        yield batch


def closing(shape):
    """The closing value: no purchase, an hour behind the last event."""
    return (f'{{"user_id":"closing","event_type":"close","product_id":"none","amount":0.00,'
            f'"event_time":"{to_text(shape.start + shape.span + CLOSING_AFTER_MS)}"}}')
