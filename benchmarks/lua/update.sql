-- pgbench's script: one row, one durable transaction.
\set id random(1, 10000)
UPDATE limits_of_this_machine SET n = n + 1 WHERE id = :id;
