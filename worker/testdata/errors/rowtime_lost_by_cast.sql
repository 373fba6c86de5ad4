-- error: 4:102: column "x" is not an event time. Give its table a WATERMARK FOR it.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s (n) SELECT COUNT(*) FROM (SELECT ts + INTERVAL '1' SECOND AS x FROM t) GROUP BY TUMBLE(x, INTERVAL '1' MINUTE);
