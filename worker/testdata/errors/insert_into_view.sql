-- error: 5:13: "v" is a view, rows go into tables
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
CREATE VIEW v AS SELECT u FROM t;
INSERT INTO v SELECT u FROM t;
