-- error: 2:40: "soon" is not a value of "table.exec.source.idle-timeout". It takes a duration such as '5 s' or '1 min'.
SET 'table.exec.source.idle-timeout' = 'soon';
