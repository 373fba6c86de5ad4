-- One table, a filter and a projection; no state, no edge.
CREATE TABLE t (
  u STRING,
  a INT,
  d DECIMAL(10, 2),
  unused STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT, x DOUBLE) WITH ('connector' = 'print');
INSERT INTO s SELECT UPPER(u) AS u, a * 2, d FROM t WHERE a > 10 AND u LIKE 'x%';
