-- error: 5:8: column "u" of table "s" is NOT NULL, the query may give NULL. Use COALESCE, or declare the column without NOT NULL.
CREATE TABLE t (u STRING) WITH ('connector' = 'kafka');
CREATE TABLE s (u STRING NOT NULL) WITH ('connector' = 'print');
INSERT INTO s
SELECT u FROM t;
