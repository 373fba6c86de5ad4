-- error: 4:1: column "k" of table "s" is NOT NULL and gets no value
CREATE TABLE t (u STRING) WITH ('connector' = 'kafka');
CREATE TABLE s (u STRING, k INT PRIMARY KEY NOT ENFORCED) WITH ('connector' = 'print');
INSERT INTO s (u) SELECT u FROM t;
