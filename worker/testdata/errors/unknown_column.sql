-- error: 4:24: unknown column "amonut". Did you mean "amount"?
CREATE TABLE t (user_id STRING, amount INT) WITH ('connector' = 'kafka');
CREATE TABLE s (amount INT) WITH ('connector' = 'print');
INSERT INTO s SELECT   amonut FROM t;
