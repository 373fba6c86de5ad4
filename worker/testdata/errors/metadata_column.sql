-- error: 2:24: METADATA columns are not supported yet
CREATE TABLE t (a INT, o BIGINT METADATA FROM 'offset') WITH ('connector' = 'kafka');
