-- error: 2:47: unknown column "b"
CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR b AS b) WITH ('connector' = 'kafka');
