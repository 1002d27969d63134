-- Usher over a Citus cluster, by screening: docs/scale.md. `./usher distribute --sql` prints this.
--
-- Once, on the coordinator, after CREATE EXTENSION citus, citus_add_node and `./usher migrate`, as the role that the
-- service connects as, which owns the tables. Again it does only what is missing. `./usher distribute --apply` does the
-- same, and `--check` says what is missing.

BEGIN;
-- Else: cannot modify table ... because there was a parallel operation on a distributed table.
SET LOCAL citus.multi_shard_modify_mode = 'sequential';
-- Whoever holds exists: a node cannot ask the coordinator. There guests are written, durably, before they take anything
-- (BATCH_PER_SCREENING).
ALTER TABLE reservations DROP CONSTRAINT IF EXISTS reservations_user_id_fkey;
ALTER TABLE bookings DROP CONSTRAINT IF EXISTS bookings_user_id_fkey;
-- What belongs to a screening is on the node of its state.
SELECT create_distributed_table('screening_states', 'screening_id')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'screening_states'::regclass);
SELECT create_distributed_table('reservations', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'reservations'::regclass);
SELECT create_distributed_table('reservation_seats', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'reservation_seats'::regclass);
SELECT create_distributed_table('anonymous_holds', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'anonymous_holds'::regclass);
SELECT create_distributed_table('kept_seats', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'kept_seats'::regclass);
SELECT create_distributed_table('bookings', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'bookings'::regclass);
SELECT create_distributed_table('booking_seats', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'booking_seats'::regclass);
SELECT create_distributed_table('payments', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'payments'::regclass);
SELECT create_distributed_table('payment_entries', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'payment_entries'::regclass);
SELECT create_distributed_table('refunds', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'refunds'::regclass);
SELECT create_distributed_table('transfers', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'transfers'::regclass);
SELECT create_distributed_table('shared_payments', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'shared_payments'::regclass);
SELECT create_distributed_table('dummy_bank.dummy_charges', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'dummy_bank.dummy_charges'::regclass);
SELECT create_distributed_table('dummy_bank.dummy_refunds', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'dummy_bank.dummy_refunds'::regclass);
SELECT create_distributed_table('seat_claims', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'seat_claims'::regclass);
SELECT create_distributed_table('idempotency_keys', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'idempotency_keys'::regclass);
SELECT create_distributed_table('seat_events', 'screening_id', colocate_with => 'screening_states')
 WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'seat_events'::regclass);
-- Row types that are older than the extension are not on the nodes: a table of them takes them along.
DO $$
DECLARE
    members text;
BEGIN
    SELECT string_agg(format('%I %I', 'of_' || t.typname, t.typname), ', ') INTO members
       FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
      WHERE t.typnamespace = current_schema()::regnamespace AND t.typname LIKE 'usher\_%'
        AND NOT EXISTS (SELECT FROM pg_dist_object o WHERE o.classid = 'pg_type'::regclass AND o.objid = t.oid);
    IF members IS NOT NULL THEN
        EXECUTE format('CREATE TABLE usher_row_types (screening_id bigint, %s)', members);
        PERFORM create_distributed_table('usher_row_types', 'screening_id', colocate_with => 'screening_states');
        DROP TABLE usher_row_types;
    END IF;
END
$$;
-- asyncpg asks the catalogs about each type that it does not know, on each new connection. Citus hides shards from them
-- row by row: 1.4 to 1.7 s a type instead of 15 to 40 ms, longer than the service waits for a connection. And small
-- questions to all shards are cheaper over one connection for each node.
DO $$
BEGIN
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET citus.override_table_visibility = off',
                   current_user, current_database());
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET citus.multi_shard_modify_mode = sequential',
                   current_user, current_database());
END
$$;
-- A table that was a reference table for a while begins to number its rows anew.
SELECT setval(pg_get_serial_sequence('theaters', 'id'), max(id)) FROM theaters
HAVING max(id) > coalesce(pg_sequence_last_value(pg_get_serial_sequence('theaters', 'id')::regclass), 0);
SELECT setval(pg_get_serial_sequence('api_keys', 'id'), max(id)) FROM api_keys
HAVING max(id) > coalesce(pg_sequence_last_value(pg_get_serial_sequence('api_keys', 'id')::regclass), 0);
SELECT setval(pg_get_serial_sequence('screenings', 'id'), max(id)) FROM screenings
HAVING max(id) > coalesce(pg_sequence_last_value(pg_get_serial_sequence('screenings', 'id')::regclass), 0);
SELECT setval(pg_get_serial_sequence('seats', 'id'), max(id)) FROM seats
HAVING max(id) > coalesce(pg_sequence_last_value(pg_get_serial_sequence('seats', 'id')::regclass), 0);
COMMIT;
