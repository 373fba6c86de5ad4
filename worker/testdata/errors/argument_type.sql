-- error: 4:28: function UPPER takes a STRING as argument 1, not INT. Write CAST(... AS ...) where a conversion is meant.
CREATE TABLE t (u STRING, a INT, d DECIMAL(10, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'x');
CREATE TABLE s (u STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO s SELECT UPPER(a), a FROM t;
