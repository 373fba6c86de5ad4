-- error: 4:34: processing time (PROCTIME) is not supported yet. Use an event time with a WATERMARK.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT DATE_FORMAT(PROCTIME(), 'HH'), 1 FROM t;
