-- error: 4:54: column "ts" is not an event time. Give its table a WATERMARK FOR it.
CREATE TABLE t (u STRING, ts TIMESTAMP(3)) WITH ('connector' = 'kafka');
CREATE TABLE s (n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE);
