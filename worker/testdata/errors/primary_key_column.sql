-- error: 2:37: PRIMARY KEY names "b", which is no physical column
CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'kafka');
