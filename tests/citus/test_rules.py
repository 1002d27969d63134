"""The rules refuse what a real Citus refused, and take what it took."""

import pytest

from tests.citus.refused import REFUSED, Refused
from tests.citus.rules import RULES, violations

UNNAMED = "each table names the screening"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.about)
def test_what_citus_refused_is_refused(case: Refused) -> None:
    assert case.rule in {violation.rule.name for violation in violations(case.said)}


@pytest.mark.parametrize("case", [case for case in REFUSED if case.instead], ids=lambda case: case.about)
def test_what_citus_takes_instead_is_taken(case: Refused) -> None:
    assert violations(case.instead or "") == []


def test_there_are_twenty_of_them() -> None:
    assert len(REFUSED) >= 20


def test_no_rule_is_without_a_case() -> None:
    of_our_own = {"values name the screening"}  # never said: every INSERT of VALUES gave a parameter

    assert {rule.name for rule in RULES} - {case.rule for case in REFUSED} == of_our_own


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("SELECT version FROM screening_states WHERE screening_id = ANY($1::bigint[])", UNNAMED),
        ("SELECT version FROM screening_states WHERE screening_id = $1 OR theater_id = $2", UNNAMED),
        ("SELECT version FROM screening_states WHERE screening_id > $1", UNNAMED),
        ("SELECT version FROM screening_states WHERE screening_id = (SELECT $1::bigint)", UNNAMED),
        (
            "SELECT FROM seat_claims c JOIN seat_events e ON e.screening_id = $2 WHERE c.screening_id = $1",
            UNNAMED,
        ),
        ("SELECT EXISTS (SELECT FROM bookings b WHERE b.id = $1)", UNNAMED),
        ("WITH mine AS (SELECT * FROM bookings WHERE user_id = $1) SELECT * FROM mine", UNNAMED),
        (
            "SELECT id FROM bookings WHERE user_id = $1 UNION SELECT id FROM reservations WHERE screening_id = $2",
            UNNAMED,
        ),
        ("INSERT INTO seat_claims (seat_id, screening_id) VALUES ($1, (SELECT 7))", "values name the screening"),
        (
            "SELECT ARRAY(SELECT b.id FROM bookings b WHERE b.screening_id = $1), ARRAY(SELECT u.id FROM users u)",
            "no join with a local table",
        ),
        (
            "DELETE FROM bookings WHERE screening_id = $1 AND EXISTS (SELECT FROM users u WHERE u.id = user_id)",
            "no join with a local table",
        ),
        (
            "UPDATE reservations SET expires_at = greatest(expires_at, clock_timestamp()) WHERE screening_id = $1",
            "changes are not volatile",
        ),
        (
            "UPDATE reservations SET expires_at = coalesce(expires_at, now()) WHERE screening_id = $1",
            "conditions are immutable",
        ),
        ("SELECT (c.seat_id, c.status) AS claim FROM seat_claims c WHERE c.screening_id = $1", "rows have types"),
        ("DELETE FROM bookings WHERE screening_id = $1 RETURNING ROW(id, status)", "rows have types"),
    ],
)
def test_other_words_for_it_are_refused_too(said: str, rule: str) -> None:
    assert rule in {violation.rule.name for violation in violations(said)}


@pytest.mark.parametrize(
    "said",
    [
        "SELECT id FROM screenings WHERE theater_id = ANY($1) FOR UPDATE",  # whole on the coordinator: anything goes
        "DELETE FROM sessions WHERE ctid = $1",
        "SELECT version FROM screening_states WHERE $1::bigint = screening_id",
        "SELECT version FROM screening_states WHERE screening_id = CAST($1 AS bigint) AND version > $2",
        "SELECT c.seat_id FROM seat_claims c WHERE c.screening_id = $1 AND (c.seat_id, c.status) > ($2, $3)",
        "SELECT id FROM bookings WHERE screening_id = $1 AND user_id = ANY(ARRAY(SELECT u.id FROM users u))",
        "WITH who AS (SELECT id FROM users WHERE email = $2) SELECT b.id FROM bookings b WHERE b.screening_id = $1",
        "WITH screening_states AS (SELECT 1 AS version) SELECT version FROM screening_states",
        "INSERT INTO screening_states (screening_id, theater_id) VALUES ($1, $2), ($3, $4)",
        "UPDATE idempotency_keys SET body = $1 WHERE screening_id = 0 AND owner_id = $2",
    ],
)
def test_what_is_well_is_let_through(said: str) -> None:
    assert violations(said) == []
