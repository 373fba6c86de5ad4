-- error: 2:19: type DECIMAL(39, 2) is out of range. Precision is 1 to 38, scale 0 to precision.
CREATE TABLE t (a DECIMAL(39, 2)) WITH ('connector' = 'kafka');
