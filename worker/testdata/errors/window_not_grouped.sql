-- error: 5:22: writing "window_start" without GROUP BY is not supported yet. Group by window_start and window_end.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE w (ws TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO w SELECT window_start FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE));
