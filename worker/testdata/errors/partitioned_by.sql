-- error: 2:24: PARTITIONED BY is not supported yet
CREATE TABLE t (a INT) PARTITIONED BY (a) WITH ('connector' = 'kafka');
