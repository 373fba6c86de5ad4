-- error: 4:25: COUNT(DISTINCT ...) is not supported yet
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, COUNT(DISTINCT a) FROM t GROUP BY u, TUMBLE(ts, INTERVAL '1' MINUTE);
