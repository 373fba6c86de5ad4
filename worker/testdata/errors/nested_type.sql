-- error: 2:26: type ROW is not supported yet. Columns hold plain values in this version; take nested JSON as STRING.
CREATE TABLE t (a INT, r ROW<b INT>) WITH ('connector' = 'kafka');
