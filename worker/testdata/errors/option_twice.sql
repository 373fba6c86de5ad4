-- error: 3:3: option "connector" is given twice
CREATE TABLE t (a INT) WITH ('connector' = 'kafka',
  'connector' = 'print');
