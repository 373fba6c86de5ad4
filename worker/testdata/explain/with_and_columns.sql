-- WITH, a column list with a column left out, settings, several names for one thing.
SET 'table.exec.source.idle-timeout' = '5 s';
CREATE TABLE t (
  u STRING,
  a INT,
  d DECIMAL(10, 2),
  unused STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT, rest STRING) WITH ('connector' = 'print');
INSERT INTO s (n, u)
WITH q (x, y) AS (SELECT a, u FROM t)
SELECT k.x, k.y FROM q AS k WHERE k.x BETWEEN 1 AND 5;
