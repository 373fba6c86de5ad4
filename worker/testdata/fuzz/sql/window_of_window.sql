-- A window over the results of a window, by its row time.
CREATE TABLE t (
  u STRING,
  a INT,
  d DECIMAL(10, 2),
  unused STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (w TIMESTAMP(3), top BIGINT) WITH ('connector' = 'print');
CREATE VIEW per_minute AS
SELECT u, COUNT(*) AS n, TUMBLE_ROWTIME(ts, INTERVAL '1' MINUTE) AS rt
FROM t GROUP BY u, TUMBLE(ts, INTERVAL '1' MINUTE);
INSERT INTO s SELECT TUMBLE_START(rt, INTERVAL '1' HOUR), MAX(n) FROM per_minute GROUP BY TUMBLE(rt, INTERVAL '1' HOUR);
