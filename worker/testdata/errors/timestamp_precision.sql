-- error: 2:19: TIMESTAMP has a precision of 6, more than 3. Time is kept in milliseconds; write TIMESTAMP(3).
CREATE TABLE t (a TIMESTAMP) WITH ('connector' = 'kafka');
