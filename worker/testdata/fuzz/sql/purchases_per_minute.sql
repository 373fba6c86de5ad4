-- The first text's table and query, word for word, into a sink.
CREATE TABLE user_events (
  user_id STRING,
  event_type STRING,
  product_id STRING,
  amount DECIMAL(10,2),
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector'='kafka',
  'topic'='user-events',
  'properties.bootstrap.servers'='…',
  'format'='json',
  'scan.startup.mode'='earliest-offset'
);

CREATE TABLE per_minute (
  user_id STRING,
  window_start TIMESTAMP(3),
  event_count BIGINT,
  total_amount DECIMAL(38, 2)
) WITH ('connector'='kafka', 'topic'='per-minute', 'format'='json');

INSERT INTO per_minute
SELECT user_id, TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS window_start, COUNT(*) AS event_count, SUM(amount) AS total_amount FROM user_events WHERE event_type = 'purchase' GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE);
