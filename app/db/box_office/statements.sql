-- What the box office says to PostgreSQL. `make statements` writes this file from the code; a test compares the two.
--
-- A batch without a lock is one statement that reads and one that writes, which is a transaction by itself. Each batch
-- below is of one command: one of many commands reads and writes what all of them need, in as many statements.
-- A statement that writes has the time of the batch in $1, and in each other parameter all rows of one kind, as JSON.

-- === hold ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($3::bigint[], $4::bigint[], $5::bigint[]) AS w(screening_id, user_id, seat_id),
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id
                ORDER BY i.reservation_id DESC
                LIMIT 200
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND (s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                OFFSET 0
            ) r
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($6::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT w.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint, ordinal int)
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($6::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
)
SELECT shifts
FROM shifts;

-- === hold, with a key ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at,
            k.screening_id)::usher_key
        FROM unnest($1::bigint[], $2::text[]) AS w(owner_id, key),
            LATERAL (
                SELECT *
                FROM idempotency_keys i
                WHERE i.owner_id = w.owner_id AND i.key = w.key
                OFFSET 0
            ) k
    ) AS keys,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($3::bigint[], $4::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS w(screening_id, user_id, seat_id),
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id
                ORDER BY i.reservation_id DESC
                LIMIT 200
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND (s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                OFFSET 0
            ) r
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($8::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT w.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint, ordinal int)
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
keys_made AS (
    INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, location, body,
        created_at)
    SELECT w.screening_id, w.owner_id, w.key, decode(w.fingerprint, 'hex'), w.user_id, w.created, w.location,
        convert_to(concat(w.body, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.tail), 'UTF8'),
        $1::timestamptz
    FROM json_to_recordset($6::json) AS w(screening_id bigint, owner_id bigint, key text, fingerprint text,
        user_id bigint, created bool, location text, body text, version bigint, tail text, ordinal int)
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($7::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
)
SELECT shifts
FROM shifts;

-- === replay: the same key again ===

-- reads, as in "hold, with a key"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
keys_replayed AS (
    UPDATE idempotency_keys t
    SET replayed_at = w.replayed_at
    FROM json_to_recordset($2::json) AS w(screening_id bigint, owner_id bigint, key text, replayed_at timestamptz)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.owner_id = ANY (ARRAY[w.owner_id]) AND t.key = w.key
)
SELECT NULL::bigint[];

-- === extend ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM unnest($1::bigint[], $2::uuid[]) AS w(screening_id, id),
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = w.screening_id AND i.id = w.id
                OFFSET 0
            ) r
    ) AS reservations,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($3::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($4::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($5::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === release ===

-- reads, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($4::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($5::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === toggle: one more seat ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($3::bigint[], $4::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                OFFSET 0
            ) c
    ) AS users,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS w(screening_id, user_id, seat_id),
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id
                ORDER BY i.reservation_id DESC
                LIMIT 200
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND (s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                OFFSET 0
            ) r
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($8::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- reads what that leads to, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($6::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($7::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === toggle: one seat less ===

-- reads, as in "toggle: one more seat"

-- reads what that leads to, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($4::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservation_seats_changed AS (
    UPDATE reservation_seats t
    SET user_id = w.user_id, amount_minor = w.amount_minor, currency = w.currency, released_at = w.released_at
    FROM json_to_recordset($5::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.reservation_id = ANY (ARRAY[w.reservation_id])
        AND t.seat_id = w.seat_id
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($6::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === release all ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                OFFSET 0
            ) c
    ) AS users,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM unnest($3::bigint[], $4::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                    AND i.id > CAST(lpad(to_hex(CAST(extract(epoch FROM statement_timestamp() - interval '15 days') * 1000 AS bigint)),
                    12, '0') || repeat('0', 20) AS uuid) AND i.status = 'expired'
                OFFSET 0
            ) r
    ) AS run_out,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($5::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- reads what that leads to, as in "extend"

-- writes, as in "release"

-- === hold: a seat whose hold has run out ===

-- reads, as in "hold"

-- reads what that leads to, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT w.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint, ordinal int)
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($6::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($7::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === expire: what the sweeper found ===

-- reads, as in "extend"

-- writes, as in "release"

-- === block ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($3::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($4::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
)
SELECT shifts
FROM shifts;

-- === unblock ===

-- reads, as in "block"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($3::json) AS w(screening_id bigint, seat_id bigint)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($4::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
)
SELECT shifts
FROM shifts;

-- === confirm, with a key ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at,
            k.screening_id)::usher_key
        FROM unnest($1::bigint[], $2::text[]) AS w(owner_id, key),
            LATERAL (
                SELECT *
                FROM idempotency_keys i
                WHERE i.owner_id = w.owner_id AND i.key = w.key
                OFFSET 0
            ) k
    ) AS keys,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM unnest($3::bigint[], $4::uuid[]) AS w(screening_id, id),
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = w.screening_id AND i.id = w.id
                OFFSET 0
            ) r
    ) AS reservations,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($5::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT w.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, reservation_id uuid,
        status text, payment_provider text, payment_reference text, paid_minor bigint, cancelled_at timestamptz,
        version bigint, ordinal int)
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT w.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM json_to_recordset($4::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($5::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($6::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
keys_made AS (
    INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, location, body,
        created_at)
    SELECT w.screening_id, w.owner_id, w.key, decode(w.fingerprint, 'hex'), w.user_id, w.created, w.location,
        convert_to(concat(w.body, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.tail), 'UTF8'),
        $1::timestamptz
    FROM json_to_recordset($7::json) AS w(screening_id bigint, owner_id bigint, key text, fingerprint text,
        user_id bigint, created bool, location text, body text, version bigint, tail text, ordinal int)
),
payments_made AS (
    INSERT INTO payments (screening_id, id, user_id, reservation_id, provider, reference, amount_minor, currency,
        booking_id, refunding_minor, cause, status, captured_minor, created_at)
    SELECT w.screening_id, w.id, w.user_id, w.reservation_id, w.provider, w.reference, w.amount_minor, w.currency,
        coalesce(w.booking_id, w.id), coalesce(w.refunding_minor, 0), w.cause, 'captured', w.amount_minor,
        $1::timestamptz
    FROM json_to_recordset($8::json) AS w(screening_id bigint, id uuid, user_id bigint, reservation_id uuid,
        provider text, reference text, amount_minor bigint, currency text, booking_id uuid, refunding_minor bigint,
        cause text)
    RETURNING id, provider, reference, amount_minor, currency, screening_id
),
captures_entered AS (
    INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)
    SELECT p.screening_id, p.id, p.id, $1::timestamptz, 'capture', p.amount_minor, p.currency, p.reference
    FROM payments_made p
    WHERE p.amount_minor > 0
),
charges_entered AS (
    INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency, created_at,
        charged_at)
    SELECT p.screening_id, concat(p.screening_id, '.', p.id), p.reference, 'captured', p.amount_minor, p.currency,
        $1::timestamptz, $1::timestamptz
    FROM payments_made p
    WHERE p.amount_minor > 0
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($9::json) AS w(screening_id bigint, id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

-- === cancel ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(ROW(b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_reference, b.created_at,
            b.cancelled_at, b.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at)::usher_seat
            FROM booking_seats s
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM unnest($1::bigint[], $2::uuid[]) AS w(screening_id, id),
            LATERAL (
                SELECT *
                FROM bookings i
                WHERE i.screening_id = w.screening_id AND i.id = w.id
                OFFSET 0
            ) b
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM unnest($3::bigint[], $4::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) p
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM unnest($5::bigint[], $6::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM shared_payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) h,
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = h.screening_id AND i.id = h.payment_id
                OFFSET 0
            ) p
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM unnest($7::bigint[], $8::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM transfers i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id AND i.status = 'offered'
                OFFSET 0
            ) t
    ) AS offers,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($9::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
booking_seats_changed AS (
    UPDATE booking_seats t
    SET amount_minor = w.amount_minor, currency = w.currency, cancelled_at = w.cancelled_at
    FROM json_to_recordset($3::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.booking_id = ANY (ARRAY[w.booking_id])
        AND t.seat_id = w.seat_id
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($4::json) AS w(screening_id bigint, id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($5::json) AS w(screening_id bigint, seat_id bigint)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($6::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
payments_changed AS (
    UPDATE payments t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, booking_id = w.booking_id,
        reference = w.reference, amount_minor = w.amount_minor, currency = w.currency,
        captured_minor = w.captured_minor, refunding_minor = t.refunding_minor + w.refunding_minor, cause = w.cause,
        decline_reason = w.decline_reason, redirect_url = w.redirect_url, client_secret = w.client_secret,
        next_ask_at = CASE WHEN w.next_ask_at THEN t.next_ask_at END
    FROM json_to_recordset($7::json) AS w(screening_id bigint, id uuid, status text, status_before text,
        booking_id uuid, reference text, amount_minor bigint, currency text, captured_minor bigint,
        refunding_minor bigint, cause text, decline_reason text, redirect_url text, client_secret text,
        next_ask_at bool)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
),
refunds_made AS (
    INSERT INTO refunds (screening_id, id, payment_id, booking_id, amount_minor, currency, cause, created_at,
        next_try_at)
    SELECT w.screening_id, w.id, w.payment_id, w.booking_id, w.amount_minor, w.currency, w.cause, $1::timestamptz,
        $1::timestamptz
    FROM json_to_recordset($8::json) AS w(screening_id bigint, id uuid, payment_id uuid, booking_id uuid,
        amount_minor bigint, currency text, cause text)
)
SELECT shifts
FROM shifts;

-- === book: seats that nobody holds ===

-- reads, as in "block"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT w.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, reservation_id uuid,
        status text, payment_provider text, payment_reference text, paid_minor bigint, cancelled_at timestamptz,
        version bigint, ordinal int)
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT w.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM json_to_recordset($4::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($5::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($6::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
payments_made AS (
    INSERT INTO payments (screening_id, id, user_id, reservation_id, provider, reference, amount_minor, currency,
        booking_id, refunding_minor, cause, status, captured_minor, created_at)
    SELECT w.screening_id, w.id, w.user_id, w.reservation_id, w.provider, w.reference, w.amount_minor, w.currency,
        coalesce(w.booking_id, w.id), coalesce(w.refunding_minor, 0), w.cause, 'captured', w.amount_minor,
        $1::timestamptz
    FROM json_to_recordset($7::json) AS w(screening_id bigint, id uuid, user_id bigint, reservation_id uuid,
        provider text, reference text, amount_minor bigint, currency text, booking_id uuid, refunding_minor bigint,
        cause text)
    RETURNING id, provider, reference, amount_minor, currency, screening_id
),
captures_entered AS (
    INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)
    SELECT p.screening_id, p.id, p.id, $1::timestamptz, 'capture', p.amount_minor, p.currency, p.reference
    FROM payments_made p
    WHERE p.amount_minor > 0
),
charges_entered AS (
    INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency, created_at,
        charged_at)
    SELECT p.screening_id, concat(p.screening_id, '.', p.id), p.reference, 'captured', p.amount_minor, p.currency,
        $1::timestamptz, $1::timestamptz
    FROM payments_made p
    WHERE p.amount_minor > 0
)
SELECT shifts
FROM shifts;

-- === exchange ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($3::bigint[], $4::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                OFFSET 0
            ) c
    ) AS users,
    ARRAY(
        SELECT ROW(ROW(b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_reference, b.created_at,
            b.cancelled_at, b.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at)::usher_seat
            FROM booking_seats s
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM unnest($5::bigint[], $6::uuid[]) AS w(screening_id, id),
            LATERAL (
                SELECT *
                FROM bookings i
                WHERE i.screening_id = w.screening_id AND i.id = w.id
                OFFSET 0
            ) b
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM unnest($7::bigint[], $8::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) p
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM unnest($9::bigint[], $10::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM shared_payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) h,
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = h.screening_id AND i.id = h.payment_id
                OFFSET 0
            ) p
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM unnest($11::bigint[], $12::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM transfers i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id AND i.status = 'offered'
                OFFSET 0
            ) t
    ) AS offers,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($13::bigint[], $14::bigint[], $15::bigint[]) AS w(screening_id, user_id, seat_id),
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id
                ORDER BY i.reservation_id DESC
                LIMIT 200
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND (s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                OFFSET 0
            ) r
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($16::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
booking_seats_changed AS (
    UPDATE booking_seats t
    SET amount_minor = w.amount_minor, currency = w.currency, cancelled_at = w.cancelled_at
    FROM json_to_recordset($3::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.booking_id = ANY (ARRAY[w.booking_id])
        AND t.seat_id = w.seat_id
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT w.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM json_to_recordset($4::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($5::json) AS w(screening_id bigint, id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($6::json) AS w(screening_id bigint, seat_id bigint)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($7::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($8::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
)
SELECT shifts
FROM shifts;

-- === close: what stands in a cancelled screening ===

-- reads, as in "cancel"

-- writes, as in "cancel"

-- === offer: one seat of a booking ===

BEGIN;

-- locks the screening
SELECT ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at, s.sales_close_at,
    s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation, s.max_seats_per_user,
    s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision, s.orphan_rule, s.reserved_places,
    s.cancel_until)::usher_screening_facts AS facts, s.version
FROM screening_states s
WHERE s.screening_id = $1
FOR NO KEY UPDATE;

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(ROW(b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_reference, b.created_at,
            b.cancelled_at, b.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at)::usher_seat
            FROM booking_seats s
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = b.screening_id AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM unnest($1::bigint[], $2::uuid[]) AS w(screening_id, id),
            LATERAL (
                SELECT *
                FROM bookings i
                WHERE i.screening_id = w.screening_id AND i.id = w.id
                OFFSET 0
            ) b
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM unnest($3::bigint[], $4::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) p
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM unnest($5::bigint[], $6::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM shared_payments i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id
                OFFSET 0
            ) h,
            LATERAL (
                SELECT *
                FROM payments i
                WHERE i.screening_id = h.screening_id AND i.id = h.payment_id
                OFFSET 0
            ) p
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM unnest($7::bigint[], $8::uuid[]) AS w(screening_id, booking_id),
            LATERAL (
                SELECT *
                FROM transfers i
                WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id AND i.status = 'offered'
                OFFSET 0
            ) t
    ) AS offers;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
transfers_made AS (
    INSERT INTO transfers (screening_id, id, booking_id, seat_ids, code_hash, status, accepted_as, created_at)
    SELECT w.screening_id, w.id, w.booking_id, w.seat_ids, decode(w.code_hash, 'hex'), w.status, w.accepted_as,
        $1::timestamptz
    FROM json_to_recordset($2::json) AS w(screening_id bigint, id uuid, booking_id uuid, seat_ids bigint[],
        code_hash text, status text, accepted_as uuid)
)
SELECT NULL::bigint[];

COMMIT;

-- === withdraw an offer ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM unnest($1::bigint[], $2::bytea[]) AS w(screening_id, code_hash),
            LATERAL (
                SELECT *
                FROM transfers i
                WHERE i.screening_id = w.screening_id AND i.code_hash = w.code_hash
                OFFSET 0
            ) t
    ) AS transfers;

-- reads what that leads to, as in "offer: one seat of a booking"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
transfers_changed AS (
    UPDATE transfers t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, accepted_as = w.accepted_as
    FROM json_to_recordset($2::json) AS w(screening_id bigint, id uuid, status text, status_before text,
        accepted_as uuid)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT NULL::bigint[];

COMMIT;

-- === accept what is offered ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- reads, as in "withdraw an offer"

-- reads what that leads to, as in "offer: one seat of a booking"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
booking_seats_changed AS (
    UPDATE booking_seats t
    SET amount_minor = w.amount_minor, currency = w.currency, cancelled_at = w.cancelled_at
    FROM json_to_recordset($2::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.booking_id = ANY (ARRAY[w.booking_id])
        AND t.seat_id = w.seat_id
)
SELECT NULL::bigint[];

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT w.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, reservation_id uuid,
        status text, payment_provider text, payment_reference text, paid_minor bigint, cancelled_at timestamptz,
        version bigint, ordinal int)
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT w.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM json_to_recordset($4::json) AS w(screening_id bigint, booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0) + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM json_to_recordset($5::json) AS w(screening_id bigint, id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint, ordinal int)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($6::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($7::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
shared_payments_made AS (
    INSERT INTO shared_payments (screening_id, booking_id, payment_id)
    SELECT w.screening_id, w.booking_id, w.payment_id
    FROM json_to_recordset($8::json) AS w(screening_id bigint, booking_id uuid, payment_id uuid)
),
transfers_changed AS (
    UPDATE transfers t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, accepted_as = w.accepted_as
    FROM json_to_recordset($9::json) AS w(screening_id bigint, id uuid, status text, status_before text,
        accepted_as uuid)
    WHERE t.screening_id = ANY (ARRAY[w.screening_id]) AND t.id = w.id
)
SELECT shifts
FROM shifts;

COMMIT;

-- === hold, without a token ===

-- reads, as in "block"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT w.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint, ordinal int)
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
guests_made AS (
    INSERT INTO users (id, is_guest, created_at)
    SELECT w.id, true, $1::timestamptz
    FROM json_to_recordset($6::json) AS w(id bigint)
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($7::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
)
SELECT shifts
FROM shifts;

-- === hold, without a token, where addresses are counted ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(a.address_key, a.network_key, ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at,
            r.first_held_at, r.expires_at, r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation)::usher_held_from
        FROM unnest($3::bigint[], $4::bytea[]) AS w(screening_id, network_key),
            LATERAL (
                SELECT *
                FROM anonymous_holds i
                WHERE i.screening_id = w.screening_id AND i.network_key = w.network_key
                OFFSET 0
            ) a,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = a.screening_id AND i.id = a.reservation_id AND i.status IN ('held', 'paying')
                OFFSET 0
            ) r
    ) AS held_from,
    ARRAY(
        SELECT ROW(r.screening_id, k.address_key, k.seat_id, k.reservation_id, k.counted_ms, k.began_at, CASE
            WHEN r.status = 'booked' AND s.released_at IS NULL THEN NULL ELSE coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END) END)::usher_kept_seat
        FROM unnest($5::bigint[], $6::bytea[], $7::bigint[]) AS w(screening_id, address_key, seat_id),
            LATERAL (
                SELECT *
                FROM kept_seats i
                WHERE i.screening_id = w.screening_id AND i.address_key = w.address_key AND i.seat_id = w.seat_id
                OFFSET 0
            ) k,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = k.screening_id AND i.id = k.reservation_id
                OFFSET 0
            ) r,
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = k.screening_id AND i.reservation_id = k.reservation_id AND i.seat_id = k.seat_id
                OFFSET 0
            ) s
    ) AS kept_seats,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($8::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($2::json) AS w(ordinal int, screening_id bigint, version_before bigint, moves int, edits int,
        must_be_as_read bool)
    WHERE t.screening_id = w.screening_id
    RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift
),
shifts AS MATERIALIZED (
    SELECT array_agg(shift ORDER BY ordinal) AS shifts
    FROM versions_moved
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT w.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), $1::timestamptz
    FROM json_to_recordset($3::json) AS w(screening_id bigint, id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint, ordinal int)
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT w.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM json_to_recordset($4::json) AS w(screening_id bigint, seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT w.screening_id, w.version + coalesce((SELECT shifts FROM shifts)[w.ordinal], 0), w.seat_id, w.from_status,
        w.to_status, w.user_id, w.previous_user_id, w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM json_to_recordset($5::json) AS w(screening_id bigint, version bigint, seat_id bigint, from_status text,
        to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint,
        request_id text, ordinal int)
),
guests_made AS (
    INSERT INTO users (id, is_guest, created_at)
    SELECT w.id, true, $1::timestamptz
    FROM json_to_recordset($6::json) AS w(id bigint)
),
held_from AS (
    INSERT INTO anonymous_holds (screening_id, reservation_id, address_key, network_key)
    SELECT w.screening_id, w.reservation_id, decode(w.address_key, 'hex'), decode(w.network_key, 'hex')
    FROM json_to_recordset($7::json) AS w(screening_id bigint, reservation_id uuid, address_key text,
        network_key text) ON CONFLICT (screening_id, reservation_id) DO UPDATE
    SET address_key = excluded.address_key, network_key = excluded.network_key
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT w.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM json_to_recordset($8::json) AS w(screening_id bigint, reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
),
seats_kept AS (
    INSERT INTO kept_seats (screening_id, address_key, seat_id, reservation_id, counted_ms, began_at, forget_at)
    SELECT w.screening_id, decode(w.address_key, 'hex'), w.seat_id, w.reservation_id, w.counted_ms, w.began_at,
        w.forget_at
    FROM json_to_recordset($9::json) AS w(screening_id bigint, address_key text, seat_id bigint, reservation_id uuid,
        counted_ms bigint, began_at timestamptz, forget_at timestamptz) ON CONFLICT (screening_id, address_key,
        seat_id) DO UPDATE
    SET reservation_id = excluded.reservation_id, counted_ms = excluded.counted_ms, began_at = excluded.began_at,
        forget_at = excluded.forget_at
)
SELECT shifts
FROM shifts;

-- === hold, after rivals were met ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, seat_id),
            LATERAL (
                SELECT *
                FROM seat_claims i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id
                OFFSET 0
            ) c
    ) AS seats,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($3::bigint[], $4::bigint[], $5::bigint[]) AS w(screening_id, user_id, seat_id),
            LATERAL (
                SELECT *
                FROM reservation_seats i
                WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id
                ORDER BY i.reservation_id DESC
                LIMIT 200
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND (s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                OFFSET 0
            ) r
    ) AS lapses;

-- writes, as in "hold"

COMMIT;

-- === hold: the best available, in a screening where nobody looked before ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM (
                    SELECT *
                    FROM reservation_seats i
                    WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                    OFFSET 0
                ) i
                ORDER BY i.reservation_id DESC
                LIMIT 2000
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND ((s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                    OR i.expires_at <= statement_timestamp() + interval '1 second')
                OFFSET 0
            ) r
    ) AS all_lapses,
    ARRAY(
        SELECT ROW(c.screening_id, array_agg(c.seat_id))::usher_taken
        FROM seat_claims c
        WHERE c.screening_id = ANY($3::bigint[]) GROUP BY c.screening_id
    ) AS taken,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM unnest($4::bigint[]) AS w(screening_id),
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = w.screening_id AND i.status = 'held'
                    AND i.expires_at <= statement_timestamp() + interval '1 second'
                ORDER BY i.expires_at
                LIMIT 1000
            ) r
    ) AS due,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($5::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes, as in "hold"

-- === hold: the best available, where too much was missed ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(r.screening_id, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = r.screening_id AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM unnest($1::bigint[], $2::bigint[]) AS w(screening_id, user_id),
            LATERAL (
                SELECT *
                FROM (
                    SELECT *
                    FROM reservation_seats i
                    WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id
                    OFFSET 0
                ) i
                ORDER BY i.reservation_id DESC
                LIMIT 2000
            ) s,
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id AND ((s.released_at IS NOT NULL
                    OR i.status NOT IN ('held', 'paying'))
                    OR i.expires_at <= statement_timestamp() + interval '1 second')
                OFFSET 0
            ) r
    ) AS all_lapses,
    ARRAY(
        SELECT ROW(e.screening_id, e.version, e.seat_id, e.to_status <> 'available')::usher_missed
        FROM unnest($3::bigint[], $4::bigint[]) AS w(screening_id, since),
            LATERAL (
                SELECT *
                FROM seat_events i
                WHERE i.screening_id = w.screening_id AND i.version > w.since
                    AND statement_timestamp() - i.at < interval '30 minutes'
                ORDER BY i.screening_id, i.version
                LIMIT 1001
            ) e
    ) AS missed,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s,
                LATERAL (
                    SELECT *
                    FROM seat_claims i
                    WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id
                    OFFSET 0
                ) c
            WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM unnest($5::bigint[]) AS w(screening_id),
            LATERAL (
                SELECT *
                FROM reservations i
                WHERE i.screening_id = w.screening_id AND i.status = 'held'
                    AND i.expires_at <= statement_timestamp() + interval '1 second'
                ORDER BY i.expires_at
                LIMIT 1000
            ) r
    ) AS due,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($6::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- reads what that leads to
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, array_agg(c.seat_id))::usher_taken
        FROM seat_claims c
        WHERE c.screening_id = ANY($1::bigint[]) GROUP BY c.screening_id
    ) AS taken,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = ANY($2::bigint[])
        ORDER BY s.screening_id
    ) AS screenings;

-- writes, as in "hold"

-- === hold, in a screening that limits each buyer ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- reads who is one buyer with whom
WITH RECURSIVE buyers(user_id, member_id) AS (
    SELECT id, id
    FROM unnest($1::bigint[]) AS id UNION
    SELECT buyers.user_id, theirs.user_id
    FROM buyers
    JOIN buyer_emails mine ON mine.user_id = buyers.member_id
    JOIN buyer_emails theirs ON theirs.email_key = mine.email_key
)
SELECT user_id, member_id
FROM buyers;

-- locks the buyers
SELECT id, is_guest AND email IS NULL AS is_nameless
FROM users
WHERE id = ANY($1::bigint[])
ORDER BY id
FOR NO KEY UPDATE;

-- reads, as in "hold, after rivals were met"

-- reads what they hold
SELECT r.user_id, r.id, CASE r.status WHEN 'paying' THEN r.expires_at + interval '1 days' ELSE r.expires_at END,
    r.status = 'paying'
FROM reservations r
WHERE r.user_id = ANY($1::bigint[]) AND r.status IN ('held', 'paying');

-- writes, as in "hold"

COMMIT;

-- === the connection broke while a hold was written ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- was it written?
SELECT min(e.version)
FROM seat_events e
WHERE e.screening_id = $1 AND e.version >= $2 AND e.seat_id = $3 AND e.at = $4;

-- if not, it never will be
UPDATE screening_states
SET revision = revision + 1
WHERE screening_id = $1;

COMMIT;
