-- error: 2:5: unknown setting "table.exec.source.idle-timout". Did you mean "table.exec.source.idle-timeout"?
SET 'table.exec.source.idle-timout' = '1 h';
