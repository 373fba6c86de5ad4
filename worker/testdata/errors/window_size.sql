-- error: 4:62: the size of a window must be an interval. An example is INTERVAL '1' MINUTE.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s (n) SELECT COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MONTH);
