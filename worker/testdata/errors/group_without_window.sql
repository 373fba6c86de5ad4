-- error: 4:41: GROUP BY without a window is not supported yet. Group by TUMBLE(time, INTERVAL ...), or by window_start and window_end of TABLE(TUMBLE(...)).
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, COUNT(*) FROM t GROUP BY u;
