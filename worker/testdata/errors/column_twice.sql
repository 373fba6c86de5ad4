-- error: 3:3: column "a" is declared twice
CREATE TABLE t (a INT,
  a STRING) WITH ('connector' = 'kafka');
