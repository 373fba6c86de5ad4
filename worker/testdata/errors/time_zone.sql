-- error: 2:31: "Europe/Vienna" is not a value of "table.local-time-zone". Only 'UTC' is supported yet.
SET 'table.local-time-zone' = 'Europe/Vienna';
