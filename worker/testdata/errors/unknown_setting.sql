-- error: 2:5: unknown setting "table.exec.state.tll". Settings are pipeline.name, table.exec.source.idle-timeout, table.local-time-zone.
SET 'table.exec.state.tll' = '1 h';
