-- error: 2:41: WATERMARK is on column "a" of type BIGINT. It must be a TIMESTAMP(3) or TIMESTAMP_LTZ(3).
CREATE TABLE t (a BIGINT, WATERMARK FOR a AS a) WITH ('connector' = 'kafka');
