-- error: 2:45: CREATE TABLE ... LIKE is not supported. Write the columns and options out.
CREATE TABLE t WITH ('connector' = 'kafka') LIKE u;
