-- error: 4:1: EXPLAIN has no place in a job. Run "streamjob-worker explain FILE" to see the plan.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
EXPLAIN SELECT * FROM t;
