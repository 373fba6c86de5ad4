# SPDX-License-Identifier: Apache-2.0
"""The cases of bench: which query, where to, on how many cores, and the job files for them."""
import dataclasses
import os

SOURCE = """CREATE TABLE user_events (
  user_id STRING,
  event_type STRING,
  product_id STRING,
  amount DECIMAL(10,2),
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector'='kafka',
  'topic'='{topic}',
  'properties.bootstrap.servers'='{brokers}',
  'format'='json',
  'scan.startup.mode'='earliest-offset',
  'scan.bounded.mode'='latest-offset'
);
"""
TO_KAFKA = """'connector'='kafka',
  'topic'='{sink}',
  'properties.bootstrap.servers'='{brokers}',
  'format'='json'"""
TO_NOTHING = "'connector'='blackhole'"
WINDOW = """CREATE TABLE purchases_per_minute (
  user_id STRING,
  window_start TIMESTAMP(3),
  event_count BIGINT,
  total_amount DECIMAL(38,2)
) WITH (
  {to}
);
INSERT INTO purchases_per_minute
SELECT user_id, TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS window_start,
  COUNT(*) AS event_count, SUM(amount) AS total_amount
FROM user_events
WHERE event_type = 'purchase'
GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE);
"""
FILTER = """CREATE TABLE purchases (
  user_id STRING,
  product_id STRING,
  amount DECIMAL(10,2),
  event_time TIMESTAMP(3)
) WITH (
  {to}
);
INSERT INTO purchases
SELECT user_id, product_id, amount, event_time FROM user_events WHERE event_type = 'purchase';
"""
COPY = FILTER.replace(" WHERE event_type = 'purchase'", "")


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    mode: str = ""     # of bare_loop; empty: the worker
    query: str = ""
    kafka: bool = False
    threads: int = 1
    beside: str = ""   # the bare row this one is compared with
    users: int = 1000


CASES = (
    Case("bare-read", mode="read"),
    Case("bare-parse", mode="parse"),
    Case("bare-agg", mode="agg"),
    Case("filter-blackhole", query=FILTER, beside="bare-parse"),
    Case("window-blackhole", query=WINDOW, beside="bare-agg"),
    Case("window-blackhole-2", query=WINDOW, threads=2),
    Case("filter-kafka", query=FILTER, kafka=True),
    Case("copy-kafka", query=COPY, kafka=True),
    Case("window-kafka", query=WINDOW, kafka=True),
    Case("window-kafka-2", query=WINDOW, kafka=True, threads=2),
    Case("bare-agg-100k", mode="agg", users=100_000),
    Case("window-blackhole-100k", query=WINDOW, beside="bare-agg-100k", users=100_000),
)


def write_job(case, folder, brokers, topic, sink):
    """The manifest of a case; its name is the job's identity in Kafka."""
    to = TO_KAFKA.format(sink=sink, brokers=brokers) if case.kafka else TO_NOTHING
    sql = SOURCE.format(topic=topic, brokers=brokers) + case.query.format(to=to)
    path = os.path.join(folder, "job.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("apiVersion: streamjob.io/v1alpha1\nkind: StreamJob\n"
                  f"metadata:\n  name: {sink}\nspec:\n  replicas: 1\n"
                  "  checkpoint:\n    interval: 1s\n  sql: |\n")
        out.writelines(f"    {line}\n" for line in sql.splitlines())
    return path
