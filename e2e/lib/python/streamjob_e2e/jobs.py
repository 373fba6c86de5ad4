# SPDX-License-Identifier: Apache-2.0
"""Manifests of the scenarios: purchases per user and minute, with what a scenario varies."""
import yaml

INPUT_OPTIONS = {"connector": "kafka", "format": "json", "scan.startup.mode": "earliest-offset"}
OUTPUT_OPTIONS = {"connector": "kafka", "format": "json"}
COLUMNS = """user_id STRING,
  event_type STRING,
  product_id STRING,
  amount DECIMAL(10,2),
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND"""
QUERY = """SELECT user_id, TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS window_start,
  COUNT(*) AS event_count, SUM(amount) AS total_amount
FROM user_events WHERE event_type = 'purchase'
GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE)"""


def options(values):
    """The inside of WITH (...); an option that is None is left out."""
    return ", ".join(f"'{key}' = '{value}'" for key, value in values.items() if value is not None)


def purchases_sql(bootstrap, source, sink, source_options=None, sink_options=None):
    """The query of the samples, between two topics."""
    at = {"properties.bootstrap.servers": bootstrap}
    read = {**INPUT_OPTIONS, **at, "topic": source, **(source_options or {})}
    write = {**OUTPUT_OPTIONS, **at, "topic": sink, **(sink_options or {})}
    return f"""CREATE TABLE user_events (
  {COLUMNS}
) WITH ({options(read)});
CREATE TABLE per_minute (
  user_id STRING, window_start TIMESTAMP(3), event_count BIGINT, total_amount DECIMAL(38,2)
) WITH ({options(write)});
INSERT INTO per_minute {QUERY};
"""


def manifest(name, sql, checkpoint, namespace=None, **spec):
    """A StreamJob as a dict. `spec` holds further fields, such as replicas=2."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "streamjob.io/v1alpha1", "kind": "StreamJob", "metadata": metadata,
            "spec": {"sql": sql, "checkpoint": checkpoint, **spec}}


def dump(job):
    return yaml.safe_dump(job, sort_keys=False)
