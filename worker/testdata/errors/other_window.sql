-- error: 4:34: TUMBLE_START names another window than GROUP BY. Give it the arguments of the TUMBLE in GROUP BY.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT DATE_FORMAT(TUMBLE_START(ts, INTERVAL '2' MINUTE), 'HH'), COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE);
