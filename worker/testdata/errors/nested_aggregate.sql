-- error: 4:29: aggregate function COUNT is not allowed in an aggregate function
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, SUM(COUNT(*)) FROM t GROUP BY u, TUMBLE(ts, INTERVAL '1' MINUTE);
