-- What the box office says to PostgreSQL with BATCH_PER_SCREENING=on. `make statements` writes this file from the code;
-- a test compares the two. Each batch is of one screening, which is a parameter in every table of every statement: $1
-- in those that read, $2 in those that write, after the time of the batch. So a PostgreSQL of many nodes (Citus) knows
-- the node. There each part of a statement that writes is carried out by itself, in this order.

-- === hold ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($3::bigint[], $4::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT s.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint)
    WHERE s.screening_id = $2
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($5::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($6::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT s.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM screening_states s, json_to_recordset($7::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === hold, with a key ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at,
            k.screening_id)::usher_key
        FROM unnest($2::bigint[], $3::text[]) AS w(owner_id, key)
        JOIN idempotency_keys k ON k.screening_id = $1 AND k.owner_id = w.owner_id AND k.key = w.key
    ) AS keys,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($4::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($5::bigint[], $6::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT s.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint)
    WHERE s.screening_id = $2
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($5::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($6::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
keys_made AS (
    INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, location, body,
        created_at)
    SELECT s.screening_id, w.owner_id, w.key, decode(w.fingerprint, 'hex'), w.user_id, w.created, w.location,
        convert_to(concat(w.body, w.version + v.shift, w.tail), 'UTF8'), $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($7::json) AS w(owner_id bigint, key text,
        fingerprint text, user_id bigint, created bool, location text, body text, version bigint, tail text)
    WHERE s.screening_id = $2
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT s.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM screening_states s, json_to_recordset($8::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === replay: the same key again ===

-- reads, as in "hold, with a key"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
keys_replayed AS (
    UPDATE idempotency_keys t
    SET replayed_at = w.replayed_at
    FROM json_to_recordset($3::json) AS w(owner_id bigint, key text, replayed_at timestamptz)
    WHERE t.screening_id = $2 AND t.owner_id = w.owner_id AND t.key = w.key
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
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM reservations r
        WHERE r.screening_id = $1 AND r.id = ANY($2::uuid[])
    ) AS reservations,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($4::json) AS w(seat_id bigint, status text, user_id bigint, reservation_id uuid,
        booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($5::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($6::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === release ===

-- reads, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($4::json) AS w(seat_id bigint)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($5::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($6::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === toggle: one more seat ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.user_id = ANY($3::bigint[])
    ) AS users,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($4::bigint[], $5::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- reads what that leads to, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($4::json) AS w(seat_id bigint, status text, user_id bigint, reservation_id uuid,
        booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($5::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($6::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT s.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM screening_states s, json_to_recordset($7::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE s.screening_id = $2
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($8::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === toggle: one seat less ===

-- reads, as in "toggle: one more seat"

-- reads what that leads to, as in "extend"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($4::json) AS w(seat_id bigint)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($5::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservation_seats_changed AS (
    UPDATE reservation_seats t
    SET user_id = w.user_id, amount_minor = w.amount_minor, currency = w.currency, released_at = w.released_at
    FROM json_to_recordset($6::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint, amount_minor bigint,
        currency text, released_at timestamptz)
    WHERE t.screening_id = $2 AND t.reservation_id = w.reservation_id AND t.seat_id = w.seat_id
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($7::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === release all ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.user_id = ANY($2::bigint[])
    ) AS users,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM reservations r
        WHERE r.screening_id = $1 AND r.user_id = ANY($3::bigint[])
            AND r.id > CAST(lpad(to_hex(CAST(extract(epoch FROM statement_timestamp() - interval '15 days') * 1000 AS bigint)),
            12, '0') || repeat('0', 20) AS uuid) AND r.status = 'expired'
    ) AS run_out,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
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
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT s.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint)
    WHERE s.screening_id = $2
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($5::json) AS w(seat_id bigint, status text, user_id bigint, reservation_id uuid,
        booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($6::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT s.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM screening_states s, json_to_recordset($7::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE s.screening_id = $2
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($8::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === expire: what the sweeper found ===

-- reads, as in "extend"

-- writes, as in "release"

-- === block ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($4::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($5::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === unblock ===

-- reads, as in "block"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($4::json) AS w(seat_id bigint)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($5::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === confirm, with a key ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at,
            k.screening_id)::usher_key
        FROM unnest($2::bigint[], $3::text[]) AS w(owner_id, key)
        JOIN idempotency_keys k ON k.screening_id = $1 AND k.owner_id = w.owner_id AND k.key = w.key
    ) AS keys,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM reservations r
        WHERE r.screening_id = $1 AND r.id = ANY($4::uuid[])
    ) AS reservations,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT s.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint,
        reservation_id uuid, status text, payment_provider text, payment_reference text, paid_minor bigint,
        cancelled_at timestamptz, version bigint)
    WHERE s.screening_id = $2
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT s.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM screening_states s, json_to_recordset($5::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE s.screening_id = $2
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($6::json) AS w(seat_id bigint, status text, user_id bigint, reservation_id uuid,
        booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($7::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
keys_made AS (
    INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, location, body,
        created_at)
    SELECT s.screening_id, w.owner_id, w.key, decode(w.fingerprint, 'hex'), w.user_id, w.created, w.location,
        convert_to(concat(w.body, w.version + v.shift, w.tail), 'UTF8'), $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($8::json) AS w(owner_id bigint, key text,
        fingerprint text, user_id bigint, created bool, location text, body text, version bigint, tail text)
    WHERE s.screening_id = $2
),
payments_made AS (
    INSERT INTO payments (screening_id, id, user_id, reservation_id, provider, reference, amount_minor, currency,
        booking_id, refunding_minor, cause, status, captured_minor, created_at)
    SELECT s.screening_id, w.id, w.user_id, w.reservation_id, w.provider, w.reference, w.amount_minor, w.currency,
        coalesce(w.booking_id, w.id), coalesce(w.refunding_minor, 0), w.cause, 'captured', w.amount_minor,
        $1::timestamptz
    FROM screening_states s, json_to_recordset($9::json) AS w(id uuid, user_id bigint, reservation_id uuid,
        provider text, reference text, amount_minor bigint, currency text, booking_id uuid, refunding_minor bigint,
        cause text)
    WHERE s.screening_id = $2
    RETURNING id, provider, reference, amount_minor, currency, screening_id
),
captures_entered AS (
    INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)
    SELECT s.screening_id, p.id, p.id, $1::timestamptz, 'capture', p.amount_minor, p.currency, p.reference
    FROM screening_states s, payments_made p
    WHERE s.screening_id = $2 AND p.amount_minor > 0
),
charges_entered AS (
    INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency, created_at,
        charged_at)
    SELECT s.screening_id, concat(s.screening_id, '.', p.id), p.reference, 'captured', p.amount_minor, p.currency,
        $1::timestamptz, $1::timestamptz
    FROM screening_states s, payments_made p
    WHERE s.screening_id = $2 AND p.amount_minor > 0
),
reservations_changed AS (
    UPDATE reservations t
    SET status = w.status, expires_at = w.expires_at, booking_id = w.booking_id, version = w.version + v.shift + CASE
        WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($10::json) AS w(id uuid, status text, expires_at timestamptz,
        booking_id uuid, version_before bigint, version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === cancel ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(ROW(b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_reference, b.created_at,
            b.cancelled_at, b.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at)::usher_seat
            FROM booking_seats s
            WHERE s.screening_id = $1 AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id AND c.booking_id = s.booking_id
            WHERE s.screening_id = $1 AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM bookings b
        WHERE b.screening_id = $1 AND b.id = ANY($2::uuid[])
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM payments p
        WHERE p.screening_id = $1 AND p.booking_id = ANY($3::uuid[])
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM shared_payments h
        JOIN payments p ON p.screening_id = $1 AND p.id = h.payment_id
        WHERE h.screening_id = $1 AND h.booking_id = ANY($4::uuid[])
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM transfers t
        WHERE t.screening_id = $1 AND t.booking_id = ANY($5::uuid[]) AND t.status = 'offered'
    ) AS offers,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
booking_seats_changed AS (
    UPDATE booking_seats t
    SET amount_minor = w.amount_minor, currency = w.currency, cancelled_at = w.cancelled_at
    FROM json_to_recordset($4::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint, currency text,
        cancelled_at timestamptz)
    WHERE t.screening_id = $2 AND t.booking_id = w.booking_id AND t.seat_id = w.seat_id
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + v.shift + CASE WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($5::json) AS w(id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($6::json) AS w(seat_id bigint)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($7::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
payments_changed AS (
    UPDATE payments t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, booking_id = w.booking_id,
        reference = w.reference, amount_minor = w.amount_minor, currency = w.currency,
        captured_minor = w.captured_minor, refunding_minor = t.refunding_minor + w.refunding_minor, cause = w.cause,
        decline_reason = w.decline_reason, redirect_url = w.redirect_url, client_secret = w.client_secret,
        next_ask_at = CASE WHEN w.next_ask_at THEN t.next_ask_at END
    FROM json_to_recordset($8::json) AS w(id uuid, status text, status_before text, booking_id uuid, reference text,
        amount_minor bigint, currency text, captured_minor bigint, refunding_minor bigint, cause text,
        decline_reason text, redirect_url text, client_secret text, next_ask_at bool)
    WHERE t.screening_id = $2 AND t.id = w.id
),
refunds_made AS (
    INSERT INTO refunds (screening_id, id, payment_id, booking_id, amount_minor, currency, cause, created_at,
        next_try_at)
    SELECT s.screening_id, w.id, w.payment_id, w.booking_id, w.amount_minor, w.currency, w.cause, $1::timestamptz,
        $1::timestamptz
    FROM screening_states s, json_to_recordset($9::json) AS w(id uuid, payment_id uuid, booking_id uuid,
        amount_minor bigint, currency text, cause text)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === book: seats that nobody holds ===

-- reads, as in "block"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT s.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint,
        reservation_id uuid, status text, payment_provider text, payment_reference text, paid_minor bigint,
        cancelled_at timestamptz, version bigint)
    WHERE s.screening_id = $2
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT s.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM screening_states s, json_to_recordset($5::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE s.screening_id = $2
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($6::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($7::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
payments_made AS (
    INSERT INTO payments (screening_id, id, user_id, reservation_id, provider, reference, amount_minor, currency,
        booking_id, refunding_minor, cause, status, captured_minor, created_at)
    SELECT s.screening_id, w.id, w.user_id, w.reservation_id, w.provider, w.reference, w.amount_minor, w.currency,
        coalesce(w.booking_id, w.id), coalesce(w.refunding_minor, 0), w.cause, 'captured', w.amount_minor,
        $1::timestamptz
    FROM screening_states s, json_to_recordset($8::json) AS w(id uuid, user_id bigint, reservation_id uuid,
        provider text, reference text, amount_minor bigint, currency text, booking_id uuid, refunding_minor bigint,
        cause text)
    WHERE s.screening_id = $2
    RETURNING id, provider, reference, amount_minor, currency, screening_id
),
captures_entered AS (
    INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)
    SELECT s.screening_id, p.id, p.id, $1::timestamptz, 'capture', p.amount_minor, p.currency, p.reference
    FROM screening_states s, payments_made p
    WHERE s.screening_id = $2 AND p.amount_minor > 0
),
charges_entered AS (
    INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency, created_at,
        charged_at)
    SELECT s.screening_id, concat(s.screening_id, '.', p.id), p.reference, 'captured', p.amount_minor, p.currency,
        $1::timestamptz, $1::timestamptz
    FROM screening_states s, payments_made p
    WHERE s.screening_id = $2 AND p.amount_minor > 0
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === exchange ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.user_id = ANY($3::bigint[])
    ) AS users,
    ARRAY(
        SELECT ROW(ROW(b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_reference, b.created_at,
            b.cancelled_at, b.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at)::usher_seat
            FROM booking_seats s
            WHERE s.screening_id = $1 AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id AND c.booking_id = s.booking_id
            WHERE s.screening_id = $1 AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM bookings b
        WHERE b.screening_id = $1 AND b.id = ANY($4::uuid[])
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM payments p
        WHERE p.screening_id = $1 AND p.booking_id = ANY($5::uuid[])
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM shared_payments h
        JOIN payments p ON p.screening_id = $1 AND p.id = h.payment_id
        WHERE h.screening_id = $1 AND h.booking_id = ANY($6::uuid[])
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM transfers t
        WHERE t.screening_id = $1 AND t.booking_id = ANY($7::uuid[]) AND t.status = 'offered'
    ) AS offers,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($8::bigint[], $9::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
booking_seats_changed AS (
    UPDATE booking_seats t
    SET amount_minor = w.amount_minor, currency = w.currency, cancelled_at = w.cancelled_at
    FROM json_to_recordset($4::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint, currency text,
        cancelled_at timestamptz)
    WHERE t.screening_id = $2 AND t.booking_id = w.booking_id AND t.seat_id = w.seat_id
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT s.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM screening_states s, json_to_recordset($5::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE s.screening_id = $2
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + v.shift + CASE WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($6::json) AS w(id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
),
claims_freed AS (
    DELETE FROM seat_claims t
    USING json_to_recordset($7::json) AS w(seat_id bigint)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($8::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($9::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
)
SELECT ARRAY[shift]
FROM versions_moved;

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
            WHERE s.screening_id = $1 AND s.booking_id = b.id
            ORDER BY s.seat_id
        ) , b.payment_provider, b.paid_minor, (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NOT NULL
        ) , (
            SELECT coalesce(sum(f.amount_minor), 0)::bigint
            FROM refunds f
            WHERE f.screening_id = $1 AND f.booking_id = b.id AND f.done_at IS NULL
        ))::usher_booking, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM booking_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id AND c.booking_id = s.booking_id
            WHERE s.screening_id = $1 AND s.booking_id = b.id AND s.cancelled_at IS NULL
        ))::usher_found_booking
        FROM bookings b
        WHERE b.screening_id = $1 AND b.id = ANY($2::uuid[])
    ) AS bookings,
    ARRAY(
        SELECT ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider, p.reference, p.status,
            p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor, p.cause,
            p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan, p.created_at)::usher_payment
        FROM payments p
        WHERE p.screening_id = $1 AND p.booking_id = ANY($3::uuid[])
    ) AS payments_behind,
    ARRAY(
        SELECT ROW(h.booking_id, ROW(p.screening_id, p.id, p.user_id, p.reservation_id, p.booking_id, p.provider,
            p.reference, p.status, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor, p.refunding_minor,
            p.cause, p.decline_reason, p.redirect_url, p.client_secret, p.deadline, p.plan,
            p.created_at)::usher_payment)::usher_shared_payment
        FROM shared_payments h
        JOIN payments p ON p.screening_id = $1 AND p.id = h.payment_id
        WHERE h.screening_id = $1 AND h.booking_id = ANY($4::uuid[])
    ) AS shared_payments,
    ARRAY(
        SELECT ROW(t.screening_id, t.id, t.booking_id, t.seat_ids, t.code_hash, t.status, t.created_at,
            t.accepted_as)::usher_transfer
        FROM transfers t
        WHERE t.screening_id = $1 AND t.booking_id = ANY($5::uuid[]) AND t.status = 'offered'
    ) AS offers;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
transfers_made AS (
    INSERT INTO transfers (screening_id, id, booking_id, seat_ids, code_hash, status, accepted_as, created_at)
    SELECT s.screening_id, w.id, w.booking_id, w.seat_ids, decode(w.code_hash, 'hex'), w.status, w.accepted_as,
        $1::timestamptz
    FROM screening_states s, json_to_recordset($3::json) AS w(id uuid, booking_id uuid, seat_ids bigint[],
        code_hash text, status text, accepted_as uuid)
    WHERE s.screening_id = $2
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
        FROM transfers t
        WHERE t.screening_id = $1 AND t.code_hash = ANY($2::bytea[])
    ) AS transfers;

-- reads what that leads to, as in "offer: one seat of a booking"

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
transfers_changed AS (
    UPDATE transfers t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, accepted_as = w.accepted_as
    FROM json_to_recordset($3::json) AS w(id uuid, status text, status_before text, accepted_as uuid)
    WHERE t.screening_id = $2 AND t.id = w.id
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
    FROM json_to_recordset($3::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint, currency text,
        cancelled_at timestamptz)
    WHERE t.screening_id = $2 AND t.booking_id = w.booking_id AND t.seat_id = w.seat_id
)
SELECT NULL::bigint[];

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
bookings_made AS (
    INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_provider, payment_reference,
        paid_minor, cancelled_at, version, created_at)
    SELECT s.screening_id, w.id, w.user_id, w.reservation_id, w.status, w.payment_provider, w.payment_reference,
        w.paid_minor, w.cancelled_at, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint,
        reservation_id uuid, status text, payment_provider text, payment_reference text, paid_minor bigint,
        cancelled_at timestamptz, version bigint)
    WHERE s.screening_id = $2
),
booking_seats_made AS (
    INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency, cancelled_at)
    SELECT s.screening_id, w.booking_id, w.seat_id, w.amount_minor, w.currency, w.cancelled_at
    FROM screening_states s, json_to_recordset($5::json) AS w(booking_id uuid, seat_id bigint, amount_minor bigint,
        currency text, cancelled_at timestamptz)
    WHERE s.screening_id = $2
),
bookings_changed AS (
    UPDATE bookings t
    SET status = w.status, cancelled_at = w.cancelled_at, cancel_reason = coalesce(w.cancel_reason, t.cancel_reason),
        payment_provider = w.payment_provider, payment_reference = w.payment_reference, paid_minor = w.paid_minor,
        version = w.version + v.shift + CASE WHEN t.version = w.version_before THEN 0 END
    FROM versions_moved v, json_to_recordset($6::json) AS w(id uuid, status text, cancelled_at timestamptz,
        cancel_reason text, payment_provider text, payment_reference text, paid_minor bigint, version_before bigint,
        version bigint)
    WHERE t.screening_id = $2 AND t.id = w.id
),
claims_changed AS (
    UPDATE seat_claims t
    SET status = w.status, user_id = w.user_id, reservation_id = w.reservation_id, booking_id = w.booking_id,
        expires_at = w.expires_at, reason = w.reason
    FROM json_to_recordset($7::json) AS w(seat_id bigint, status text, user_id bigint, reservation_id uuid,
        booking_id uuid, expires_at timestamptz, reason text)
    WHERE t.screening_id = $2 AND t.seat_id = w.seat_id
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($8::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
shared_payments_made AS (
    INSERT INTO shared_payments (screening_id, booking_id, payment_id)
    SELECT s.screening_id, w.booking_id, w.payment_id
    FROM screening_states s, json_to_recordset($9::json) AS w(booking_id uuid, payment_id uuid)
    WHERE s.screening_id = $2
),
transfers_changed AS (
    UPDATE transfers t
    SET status = CASE WHEN t.status = w.status_before THEN w.status END, accepted_as = w.accepted_as
    FROM json_to_recordset($10::json) AS w(id uuid, status text, status_before text, accepted_as uuid)
    WHERE t.screening_id = $2 AND t.id = w.id
)
SELECT ARRAY[shift]
FROM versions_moved;

COMMIT;

-- === hold, without a token ===

-- reads, as in "hold"

-- writes, as in "hold"

-- === hold, without a token, where addresses are counted ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($3::bigint[], $4::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses,
    ARRAY(
        SELECT ROW(a.address_key, a.network_key, ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at,
            r.first_held_at, r.expires_at, r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation)::usher_held_from
        FROM anonymous_holds a
        JOIN reservations r ON r.screening_id = $1 AND r.id = a.reservation_id AND r.status IN ('held', 'paying')
        WHERE a.screening_id = $1 AND a.network_key = ANY($5::bytea[])
    ) AS held_from,
    ARRAY(
        SELECT ROW($1, k.address_key, k.seat_id, k.reservation_id, k.counted_ms, k.began_at, CASE
            WHEN r.status = 'booked' AND s.released_at IS NULL THEN NULL ELSE coalesce(s.released_at, CASE
            WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END) END)::usher_kept_seat
        FROM unnest($6::bytea[], $7::bigint[]) AS w(address_key, seat_id)
        JOIN kept_seats k ON k.screening_id = $1 AND k.address_key = w.address_key AND k.seat_id = w.seat_id
        JOIN reservations r ON r.screening_id = $1 AND r.id = k.reservation_id
        JOIN reservation_seats s ON s.screening_id = $1 AND s.reservation_id = k.reservation_id
            AND s.seat_id = k.seat_id
    ) AS kept_seats,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes
WITH moment AS (SELECT $1::timestamptz AS now),
versions_moved AS (
    UPDATE screening_states t
    SET version = CASE WHEN t.revision + t.layout_revision = w.edits AND NOT (w.must_be_as_read
        AND t.version <> w.version_before) THEN t.version + w.moves END
    FROM json_to_recordset($3::json) AS w(version_before bigint, moves int, edits int, must_be_as_read bool)
    WHERE t.screening_id = $2
    RETURNING t.version - w.moves - w.version_before AS shift
),
reservations_made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, first_held_at, expires_at, booking_id, version,
        created_at)
    SELECT s.screening_id, w.id, w.user_id, w.status, coalesce(w.first_held_at, $1::timestamptz), w.expires_at,
        w.booking_id, w.version + v.shift, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($4::json) AS w(id uuid, user_id bigint, status text,
        first_held_at timestamptz, expires_at timestamptz, booking_id uuid, version bigint)
    WHERE s.screening_id = $2
),
claims_made AS (
    INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id, expires_at, reason)
    SELECT s.screening_id, w.seat_id, w.status, w.user_id, w.reservation_id, w.booking_id, w.expires_at, w.reason
    FROM screening_states s, json_to_recordset($5::json) AS w(seat_id bigint, status text, user_id bigint,
        reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text)
    WHERE s.screening_id = $2
),
events_made AS (
    INSERT INTO seat_events (screening_id, version, seat_id, from_status, to_status, user_id, previous_user_id,
        expires_at, cause, actor_id, request_id, at)
    SELECT s.screening_id, w.version + v.shift, w.seat_id, w.from_status, w.to_status, w.user_id, w.previous_user_id,
        w.expires_at, w.cause, w.actor_id, w.request_id, $1::timestamptz
    FROM screening_states s, versions_moved v, json_to_recordset($6::json) AS w(version bigint, seat_id bigint,
        from_status text, to_status text, user_id bigint, previous_user_id bigint, expires_at timestamptz, cause text,
        actor_id bigint, request_id text)
    WHERE s.screening_id = $2
),
held_from AS (
    INSERT INTO anonymous_holds (screening_id, reservation_id, address_key, network_key)
    SELECT s.screening_id, w.reservation_id, decode(w.address_key, 'hex'), decode(w.network_key, 'hex')
    FROM screening_states s, json_to_recordset($7::json) AS w(reservation_id uuid, address_key text, network_key text)
    WHERE s.screening_id = $2 ON CONFLICT (screening_id, reservation_id) DO UPDATE
    SET address_key = excluded.address_key, network_key = excluded.network_key
),
reservation_seats_made AS (
    INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
    SELECT s.screening_id, w.reservation_id, w.seat_id, w.user_id, w.amount_minor, w.currency, w.released_at
    FROM screening_states s, json_to_recordset($8::json) AS w(reservation_id uuid, seat_id bigint, user_id bigint,
        amount_minor bigint, currency text, released_at timestamptz)
    WHERE s.screening_id = $2
),
seats_kept AS (
    INSERT INTO kept_seats (screening_id, address_key, seat_id, reservation_id, counted_ms, began_at, forget_at)
    SELECT s.screening_id, decode(w.address_key, 'hex'), w.seat_id, w.reservation_id, w.counted_ms, w.began_at,
        w.forget_at
    FROM screening_states s, json_to_recordset($9::json) AS w(address_key text, seat_id bigint, reservation_id uuid,
        counted_ms bigint, began_at timestamptz, forget_at timestamptz)
    WHERE s.screening_id = $2 ON CONFLICT (screening_id, address_key, seat_id) DO UPDATE
    SET reservation_id = excluded.reservation_id, counted_ms = excluded.counted_ms, began_at = excluded.began_at,
        forget_at = excluded.forget_at
)
SELECT ARRAY[shift]
FROM versions_moved;

-- === hold, after rivals were met ===

BEGIN;

-- locks the screening, as in "offer: one seat of a booking"

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
            c.reason)::usher_claim
        FROM seat_claims c
        WHERE c.screening_id = $1 AND c.seat_id = ANY($2::bigint[])
    ) AS seats,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place
            FROM unnest($3::bigint[], $4::bigint[]) AS w(user_id, seat_id)
            JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND (s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying'))
        WHERE s.place <= 200
    ) AS lapses;

-- writes, as in "hold"

COMMIT;

-- === hold: the best available, in a screening where nobody looked before ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id ORDER BY i.reservation_id DESC) AS place
            FROM reservation_seats i
            WHERE i.screening_id = $1 AND i.user_id = ANY($2::bigint[])
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND ((s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying')) OR r.expires_at <= statement_timestamp() + interval '1 second')
        WHERE s.place <= 2000
    ) AS all_lapses,
    ARRAY(
        SELECT ROW(c.screening_id, array_agg(c.seat_id))::usher_taken
        FROM seat_claims c
        WHERE c.screening_id = $1 GROUP BY c.screening_id
    ) AS taken,
    ARRAY(
        SELECT ROW(ROW(r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at,
            r.booking_id, r.version, ARRAY(
            SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at)::usher_seat
            FROM reservation_seats s
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM (
            SELECT *
            FROM reservations i
            WHERE i.screening_id = $1 AND i.status = 'held'
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
        WHERE s.screening_id = $1
    ) AS screenings;

-- writes, as in "hold"

-- === hold: the best available, where too much was missed ===

-- reads
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW($1, r.user_id, s.seat_id, r.first_held_at, coalesce(s.released_at, CASE WHEN r.status IN ('released',
            'booked') THEN least(r.expires_at, (
            SELECT e.at
            FROM seat_events e
            WHERE e.screening_id = $1 AND e.version = r.version
            LIMIT 1
        )) ELSE r.expires_at END))::usher_lapse
        FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.user_id ORDER BY i.reservation_id DESC) AS place
            FROM reservation_seats i
            WHERE i.screening_id = $1 AND i.user_id = ANY($2::bigint[])
        ) s
        JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND ((s.released_at IS NOT NULL
            OR r.status NOT IN ('held', 'paying')) OR r.expires_at <= statement_timestamp() + interval '1 second')
        WHERE s.place <= 2000
    ) AS all_lapses,
    ARRAY(
        SELECT ROW(e.screening_id, e.version, e.seat_id, e.to_status <> 'available')::usher_missed
        FROM (
            SELECT *
            FROM seat_events i
            WHERE i.screening_id = $1 AND i.version > ($3::bigint[])[1]
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
            WHERE s.screening_id = $1 AND s.reservation_id = r.id
            ORDER BY s.seat_id
        ))::usher_reservation, ARRAY(
            SELECT ROW(c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at,
                c.reason)::usher_claim
            FROM reservation_seats s
            JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id
            WHERE s.screening_id = $1 AND s.reservation_id = r.id AND s.released_at IS NULL
        ))::usher_found_reservation
        FROM (
            SELECT *
            FROM reservations i
            WHERE i.screening_id = $1 AND i.status = 'held'
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
        WHERE s.screening_id = $1
    ) AS screenings;

-- reads what that leads to
SELECT clock_timestamp() AS now,
    ARRAY(
        SELECT ROW(c.screening_id, array_agg(c.seat_id))::usher_taken
        FROM seat_claims c
        WHERE c.screening_id = $1 GROUP BY c.screening_id
    ) AS taken,
    ARRAY(
        SELECT ROW(ROW(s.screening_id, s.theater_id, s.layout_revision, s.timezone, s.starts_at, s.sales_open_at,
            s.sales_close_at, s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation,
            s.max_seats_per_user, s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision,
            s.orphan_rule, s.reserved_places, s.cancel_until)::usher_screening_facts, s.version)::usher_screening
        FROM screening_states s
        WHERE s.screening_id = $1
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
