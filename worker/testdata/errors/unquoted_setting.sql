-- error: 2:5: setting name is not quoted. Write SET 'name' = 'value'.
SET table.exec.state.ttl = 1;
