-- error: 4:22: column "u" is neither in GROUP BY nor in an aggregate function
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, COUNT(*) FROM t GROUP BY a, TUMBLE(ts, INTERVAL '1' MINUTE);
