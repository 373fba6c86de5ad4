-- A first try without Kafka or a cluster: `streamjob-worker run crds/samples/first-try.sql`.
-- Made-up purchases, counted and summed for each user and ten seconds.
CREATE TABLE purchases (
  user_id INT,
  amount INT,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '20',
  'fields.user_id.min' = '1',
  'fields.user_id.max' = '5',
  'fields.amount.min' = '1',
  'fields.amount.max' = '100'
);

CREATE TABLE totals (
  user_id INT,
  window_start TIMESTAMP(3),
  purchases BIGINT,
  total_amount BIGINT
) WITH ('connector' = 'print');

INSERT INTO totals
SELECT user_id, TUMBLE_START(event_time, INTERVAL '10' SECOND), COUNT(*), SUM(CAST(amount AS BIGINT))
FROM purchases
GROUP BY user_id, TUMBLE(event_time, INTERVAL '10' SECOND);
