-- The event time is a computed column: it is made before the watermark.
CREATE TABLE t (
  `raw` STRING,
  u STRING,
  z STRING,
  ts AS CAST(`raw` AS TIMESTAMP(3)),
  WATERMARK FOR ts AS ts
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (ws TIMESTAMP(3), we TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO s
SELECT window_start, window_end, COUNT(u)
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND))
GROUP BY window_start, window_end;
