-- error: 4:40: WHERE must be BOOLEAN, not INT
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT u, a FROM t WHERE a;
