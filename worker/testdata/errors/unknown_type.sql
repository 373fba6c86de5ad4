-- error: 2:19: unknown type "INTT". Did you mean "INT"?
CREATE TABLE t (a INTT) WITH ('connector' = 'kafka');
