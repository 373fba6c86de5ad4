-- Three INSERTs share one scan: columns are the union, branches fan out behind the watermark.
CREATE TABLE t (
  u STRING,
  a INT,
  d DECIMAL(10, 2),
  unused STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE a (u STRING) WITH ('connector' = 'print');
CREATE TABLE b (n BIGINT, w TIMESTAMP(3)) WITH ('connector' = 'print');
CREATE VIEW big AS SELECT * FROM t WHERE a > 100;
EXECUTE STATEMENT SET BEGIN
INSERT INTO a SELECT u FROM big;
INSERT INTO a SELECT LOWER(u) FROM t;
INSERT INTO b SELECT SUM(a), TUMBLE_END(ts, INTERVAL '1' HOUR) FROM big GROUP BY u, TUMBLE(ts, INTERVAL '1' HOUR);
END;
