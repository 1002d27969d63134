"""What a real Citus (15, over PostgreSQL 18) refused, or carried out on all nodes, and what it takes instead.

They are Usher's own, from before it knew better, shortened to what matters. What is a counter of a screening stands in
`screening_states` here, as it does now.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """What was said, what Citus answered, the rule that forbids it now, and the accepted form, if there is one."""

    about: str
    said: str
    citus: str
    rule: str
    instead: str | None = None


REFUSED = (
    Refused(
        "the keys of a batch",
        """
        SELECT ARRAY(SELECT ROW(k.owner_id, k.key, k.body)::usher_key
          FROM unnest($1::bigint[], $2::text[]) AS w(owner_id, key), LATERAL (
               SELECT * FROM idempotency_keys i WHERE i.owner_id = w.owner_id AND i.key = w.key OFFSET 0) k) AS keys
        """,
        "cannot push down this subquery: Offset clause",
        "lateral without limits",
        """
        SELECT ARRAY(SELECT ROW(k.owner_id, k.key, k.body)::usher_key
          FROM unnest($2::bigint[], $3::text[]) AS w(owner_id, key), LATERAL (
               SELECT * FROM idempotency_keys i
                WHERE i.screening_id = $1 AND i.owner_id = w.owner_id AND i.key = w.key OFFSET 0) k) AS keys
        """,
    ),
    Refused(
        "the claims of seats",
        """
        SELECT ROW(c.seat_id, c.status)::usher_claim
          FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id), LATERAL (
               SELECT * FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id OFFSET 0) c
        """,
        "lateral subquery references a column from a table function",
        "lateral without limits",
        """
        SELECT ROW(c.seat_id, c.status)::usher_claim FROM seat_claims c
         WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
        """,
    ),
    Refused(
        "rows in an array",
        "SELECT ARRAY(SELECT ROW(c.seat_id, c.status) FROM seat_claims c WHERE c.screening_id = $1) AS seats",
        "input of anonymous composite types is not implemented",
        "rows have types",
        "SELECT ARRAY(SELECT ROW(c.seat_id, c.status)::usher_claim FROM seat_claims c WHERE c.screening_id = $1)",
    ),
    Refused(
        "the seats of a reservation, by the screening of its row",
        """
        SELECT ROW(r.id, ARRAY(SELECT ROW(s.seat_id)::usher_seat FROM reservation_seats s
                                WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id))::usher_reservation
          FROM reservations r WHERE r.screening_id = $1 AND r.id = ANY($2::uuid[])
        """,
        "complex joins are only supported when all distributed tables are co-located",
        "each table names the screening",
        """
        SELECT ROW(r.id, ARRAY(SELECT ROW(s.seat_id)::usher_seat FROM reservation_seats s
                                WHERE s.screening_id = $1 AND s.reservation_id = r.id))::usher_reservation
          FROM reservations r WHERE r.screening_id = $1 AND r.id = ANY($2::uuid[])
        """,
    ),
    Refused(
        "a version that is written only if it is as it was read",
        """
        WITH versions_moved AS (
             UPDATE screening_states t SET version = t.version + w.moves
               FROM json_to_recordset($2::json) AS w(ordinal int, moves int)
              WHERE t.screening_id = $1 RETURNING w.ordinal, w.moves AS shift),
        reservations_changed AS (
             UPDATE reservations t SET version = CASE WHEN t.version = w.version_before
                    THEN w.version + coalesce((SELECT v.shift FROM versions_moved v), 0) END
               FROM json_to_recordset($3::json) AS w(id uuid, version_before bigint, version bigint)
              WHERE t.screening_id = $1 AND t.id = w.id)
        SELECT shift FROM versions_moved
        """,
        "non-IMMUTABLE functions are not allowed in CASE or COALESCE statements",
        "conditions are immutable",
        """
        WITH versions_moved AS (
             UPDATE screening_states t SET version = t.version + w.moves
               FROM json_to_recordset($2::json) AS w(ordinal int, moves int)
              WHERE t.screening_id = $1 RETURNING w.ordinal, w.moves AS shift),
        reservations_changed AS (
             UPDATE reservations t
                SET version = w.version + v.shift + CASE WHEN t.version = w.version_before THEN 0 END
               FROM versions_moved v, json_to_recordset($3::json) AS w(id uuid, version_before bigint, version bigint)
              WHERE t.screening_id = $1 AND t.id = w.id)
        SELECT shift FROM versions_moved
        """,
    ),
    Refused(
        "claims that change, by the screening that JSON says",
        """
        UPDATE seat_claims t SET status = w.status
          FROM json_to_recordset($1::json) AS w(screening_id bigint, seat_id bigint, status text)
         WHERE t.screening_id = w.screening_id AND t.seat_id = w.seat_id
        """,
        "accepted: 32 tasks, and two-phase commit over all nodes",
        "each table names the screening",
        """
        UPDATE seat_claims t SET status = w.status
          FROM json_to_recordset($2::json) AS w(seat_id bigint, status text)
         WHERE t.screening_id = $1 AND t.seat_id = w.seat_id
        """,
    ),
    Refused(
        "claims that are freed, by the screening that JSON says",
        """
        DELETE FROM seat_claims t USING json_to_recordset($1::json) AS w(screening_id bigint, seat_id bigint)
         WHERE t.screening_id = w.screening_id AND t.seat_id = w.seat_id
        """,
        "accepted: 32 tasks, and two-phase commit over all nodes",
        "each table names the screening",
        """
        DELETE FROM seat_claims t USING json_to_recordset($2::json) AS w(seat_id bigint)
         WHERE t.screening_id = $1 AND t.seat_id = w.seat_id
        """,
    ),
    Refused(
        "claims that are made, from JSON alone",
        """
        INSERT INTO seat_claims (screening_id, seat_id, status)
        SELECT w.screening_id, w.seat_id, w.status
          FROM json_to_recordset($1::json) AS w(screening_id bigint, seat_id bigint, status text)
        """,
        "accepted: pulled to the coordinator; a duplicate key is XX000, not 23505",
        "inserts select where they go",
        """
        INSERT INTO seat_claims (screening_id, seat_id, status)
        SELECT s.screening_id, w.seat_id, w.status
          FROM screening_states s, json_to_recordset($2::json) AS w(seat_id bigint, status text)
         WHERE s.screening_id = $1
        """,
    ),
    Refused(
        "claims that are made beside the counter, but of the screening that JSON says",
        """
        INSERT INTO seat_claims (screening_id, seat_id, status)
        SELECT w.screening_id, w.seat_id, w.status
          FROM screening_states s, json_to_recordset($2::json) AS w(screening_id bigint, seat_id bigint, status text)
         WHERE s.screening_id = $1
        """,
        "accepted: pulled to the coordinator",
        "inserts select where they go",
    ),
    Refused(
        "the seats of a booking before the booking",
        """
        WITH booking_seats_made AS (
             INSERT INTO booking_seats (screening_id, booking_id, seat_id)
             SELECT s.screening_id, w.booking_id, w.seat_id
               FROM screening_states s, json_to_recordset($2::json) AS w(booking_id uuid, seat_id bigint)
              WHERE s.screening_id = $1),
        bookings_made AS (
             INSERT INTO bookings (screening_id, id)
             SELECT s.screening_id, w.id FROM screening_states s, json_to_recordset($3::json) AS w(id uuid)
              WHERE s.screening_id = $1)
        SELECT
        """,
        "23503: violates the foreign key of booking_seats",
        "parts in order",
        """
        WITH bookings_made AS (
             INSERT INTO bookings (screening_id, id)
             SELECT s.screening_id, w.id FROM screening_states s, json_to_recordset($3::json) AS w(id uuid)
              WHERE s.screening_id = $1),
        booking_seats_made AS (
             INSERT INTO booking_seats (screening_id, booking_id, seat_id)
             SELECT s.screening_id, w.booking_id, w.seat_id
               FROM screening_states s, json_to_recordset($2::json) AS w(booking_id uuid, seat_id bigint)
              WHERE s.screening_id = $1)
        SELECT
        """,
    ),
    Refused(
        "was it written?",
        """
        SELECT w.screening_id, e.version - w.version AS shift
          FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(screening_id, version, seat_id), LATERAL (
               SELECT i.version FROM seat_events i
                WHERE i.screening_id = w.screening_id AND i.version >= w.version AND i.seat_id = w.seat_id
                ORDER BY i.version LIMIT 1) e
        """,
        "cannot push down this subquery: Limit clause",
        "lateral without limits",
        """
        SELECT version FROM seat_events WHERE screening_id = $1 AND version >= $2 AND seat_id = $3
         ORDER BY version LIMIT 1
        """,
    ),
    Refused(
        "a new screening, with the revision of its theater's layout",
        """
        INSERT INTO screening_states (screening_id, layout_revision)
        VALUES ($1, (SELECT layout_revision FROM theaters WHERE id = $2))
        """,
        "subqueries are not supported within INSERT queries",
        "values without subquery",
        "INSERT INTO screening_states (screening_id, layout_revision) VALUES ($1, $2)",
    ),
    Refused(
        "the lock of all screenings of a theater",
        "SELECT version FROM screening_states WHERE theater_id = $1 ORDER BY screening_id FOR NO KEY UPDATE",
        "could not run distributed query with FOR UPDATE/SHARE commands",
        "locks are of one screening",
        "SELECT s.version FROM screening_states s WHERE s.screening_id = $1 FOR NO KEY UPDATE",
    ),
    Refused(
        "the lock of a batch, of many screenings",
        """
        SELECT s.version FROM screening_states s
         WHERE s.screening_id = ANY($1::bigint[]) ORDER BY s.screening_id FOR NO KEY UPDATE
        """,
        "could not run distributed query with FOR UPDATE/SHARE commands",
        "locks are of one screening",
    ),
    Refused(
        "the lock of a batch, with the theater",
        """
        SELECT s.version, t.timezone FROM screening_states s JOIN theaters t ON t.id = s.theater_id
         WHERE s.screening_id = $1 FOR NO KEY UPDATE OF s
        """,
        "could not run distributed query with FOR UPDATE/SHARE commands",
        "no join with a local table",
    ),
    Refused(
        "theaters, with how many screenings they have",
        """
        SELECT t.id, t.name, (SELECT count(*) FROM screening_states s WHERE s.theater_id = t.id) AS screenings_count
          FROM theaters t
        """,
        "correlated subqueries are not supported when the FROM clause contains a reference table",
        "no join with a local table",
        "SELECT t.id, t.name, (SELECT count(*) FROM screenings s WHERE s.theater_id = t.id) AS count FROM theaters t",
    ),
    Refused(
        "somebody's account, with how much they hold",
        """
        SELECT u.id, u.username, (SELECT count(*) FROM reservations r WHERE r.user_id = u.id) AS active_reservations,
               (SELECT count(*) FROM bookings b WHERE b.user_id = u.id) AS bookings_today
          FROM users u WHERE u.id = $1
        """,
        "direct joins between distributed and local tables are not supported",
        "no join with a local table",
    ),
    Refused(
        "old keys",
        """
        DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM idempotency_keys WHERE created_at < statement_timestamp() - make_interval(hours => $1)
                ORDER BY created_at LIMIT $2))
        """,
        "Recursively planned distributed modifications with ctid on where clause are not supported",
        "no place of a row",
    ),
    Refused(
        "old events",
        """
        DELETE FROM seat_events WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM seat_events WHERE at < statement_timestamp() - make_interval(hours => $1)
                ORDER BY at LIMIT $2))
        """,
        "Recursively planned distributed modifications with ctid on where clause are not supported",
        "no place of a row",
    ),
    Refused(
        "a screening is cancelled",
        "UPDATE screening_states SET cancelled_at = clock_timestamp() WHERE screening_id = $1",
        "functions used in UPDATE queries on distributed tables must not be VOLATILE",
        "changes are not volatile",
        "UPDATE screening_states SET cancelled_at = statement_timestamp() WHERE screening_id = $1",
    ),
    Refused(
        "a whole map",
        """
        SELECT s.screening_id, s.version, c.seat_ids FROM screening_states s, LATERAL (
               SELECT array_agg(i.seat_id) AS seat_ids FROM seat_claims i WHERE i.screening_id = s.screening_id) c
         WHERE s.screening_id = $1
        """,
        "accepted: 32 tasks for each map",
        "each table names the screening",
        """
        SELECT s.screening_id, s.version, c.seat_ids FROM screening_states s, LATERAL (
               SELECT array_agg(i.seat_id) AS seat_ids FROM seat_claims i WHERE i.screening_id = $1) c
         WHERE s.screening_id = $1
        """,
    ),
    Refused(
        "events, as what they mean now",
        """
        SELECT s.version, ARRAY(
               SELECT CASE WHEN e.expires_at <= clock_timestamp() THEN ROW(e.seat_id, 'available')
                           ELSE ROW(e.seat_id, e.to_status) END
                 FROM seat_events e WHERE e.screening_id = $1) AS events
          FROM screening_states s WHERE s.screening_id = $1
        """,
        "input of anonymous composite types is not implemented",
        "rows have types",
        """
        SELECT s.version, ARRAY(
               SELECT CASE WHEN e.expires_at <= clock_timestamp() THEN ROW(e.seat_id, 'available')::usher_event
                           ELSE ROW(e.seat_id, e.to_status)::usher_event END
                 FROM seat_events e WHERE e.screening_id = $1) AS events
          FROM screening_states s WHERE s.screening_id = $1
        """,
    ),
    Refused(
        "the claims of the seats that a reservation names, by their ids alone",
        """
        SELECT c.seat_id FROM reservation_seats s JOIN seat_claims c ON c.seat_id = s.seat_id
         WHERE s.reservation_id = $1
        """,
        "complex joins are only supported when all distributed tables are co-located and joined",
        "joined by screening",
        """
        SELECT c.seat_id FROM reservation_seats s JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
         WHERE s.screening_id = $1 AND s.reservation_id = $2
        """,
    ),
)
