-- error: 4:16: 2 names for 1 column(s)
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
CREATE VIEW v (x, y) AS SELECT u FROM t;
INSERT INTO s (u) SELECT x FROM v;
