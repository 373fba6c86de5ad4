-- error: 4:47: aggregate function COUNT is not allowed in WHERE
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, COUNT(*) FROM t WHERE COUNT(*) > 1 GROUP BY u, TUMBLE(ts, INTERVAL '1' MINUTE);
