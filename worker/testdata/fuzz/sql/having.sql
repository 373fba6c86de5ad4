-- HAVING on a key goes below the aggregate, HAVING on a result stays above it; one call is computed once.
CREATE TABLE t (
  u STRING,
  a INT,
  d DECIMAL(10, 2),
  unused STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT, av DECIMAL(38, 6), lo INT) WITH ('connector' = 'print');
INSERT INTO s
SELECT UPPER(u), COUNT(*) FILTER (WHERE a > 0), AVG(d), MIN(a)
FROM t
GROUP BY UPPER(u), TUMBLE(ts, INTERVAL '1' DAY)
HAVING UPPER(u) <> 'X' AND COUNT(*) FILTER (WHERE a > 0) > 10 AND TUMBLE_START(ts, INTERVAL '1' DAY) > '2026-01-01 00:00:00';
