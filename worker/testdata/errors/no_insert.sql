-- error: 3:1: the job has no INSERT INTO. A job writes to at least one table.
CREATE TABLE t (a INT) WITH ('connector' = 'kafka');
