"""Paying, as a caller sees it: what each token of the dummy does, webhooks, refunds, and what organizers read."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pytest
from httpx import AsyncClient
from standardwebhooks import Webhook

from app.adapters.dummy_payments import webhook_secret_from
from app.domain.people.people import Person, Role
from app.services.people.revocations import Origin
from tests.conftest import JWT_SECRET, OpenApp, resources_of
from tests.routers.visitors import Database, Visitor, guest, refused, told

PRICE: Final = {"amount_minor": 4500, "currency": "EUR"}
NOTHING: Final = {"amount_minor": 0, "currency": "EUR"}


@pytest.fixture
async def client(open_app: OpenApp, nobody_waits_for_the_bank: None) -> AsyncClient:
    return await open_app()


@pytest.fixture
async def ada(client: AsyncClient) -> Visitor:
    return await guest(client, "ada@example.org")


@pytest.fixture
async def admin(client: AsyncClient, database: Database) -> Visitor:
    user_id = await database.fetchval("INSERT INTO users (role) VALUES ('admin') RETURNING id")
    token = resources_of(client).tokens.access_token(
        Person(user_id, Role.ADMIN), Origin(user_id), datetime.now(UTC), "admin"
    )
    return Visitor(client, token)


def paying(token: str) -> dict[str, Any]:
    return {"payment": {"method": "card", "token": token}}


async def the_payment(admin: Visitor, **query: str) -> Any:
    """The one payment there is."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    [payment] = (await admin.read(f"/payments?{asked}"))["items"]
    return payment


async def finish(client: AsyncClient, database: Database) -> None:
    """It is time to ask the provider, and to give money back; both are done once."""
    await database.execute("UPDATE payments SET next_ask_at = now() WHERE next_ask_at IS NOT NULL")
    await resources_of(client).finisher.finish()
    await database.execute("UPDATE refunds SET next_try_at = now() WHERE next_try_at IS NOT NULL")
    await resources_of(client).refunds.carry_out()


async def decide_now(database: Database) -> None:
    """What the dummy decides later, it has decided now."""
    await database.execute(
        "UPDATE dummy_bank.dummy_charges SET decides_at = now(), report_at = now() WHERE decides_at IS NOT NULL"
    )


async def deadline_passes(database: Database) -> None:
    await database.execute("UPDATE payments SET deadline = now() WHERE deadline IS NOT NULL")


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["ok", "duplicate", "slow:0.05", "refund-fails:1"])
async def test_what_is_charged_is_booked(ada: Visitor, admin: Visitor, token: str) -> None:
    hold = await ada.hold("A1")

    booking = told(await ada.post(f"/reservations/{hold['id']}/confirm", paying(token)), 201)

    assert booking["payment"] == {
        "status": "paid",
        "provider": "dummy",
        "reference": booking["payment"]["reference"],
        "amount": PRICE,
        "refunded": NOTHING,
    }
    payment = await the_payment(admin)
    assert (payment["status"], payment["amount"], payment["refunded"]) == ("captured", PRICE, NOTHING)
    assert (payment["reservation_id"], payment["booking_id"]) == (hold["id"], booking["id"])
    assert [(entry["kind"], entry["amount"]) for entry in payment["entries"]] == [("capture", PRICE)]
    [charge] = (await admin.read("/payments/dummy/books"))["items"]
    assert (charge["reference"], charge["status"], charge["amount"]) == (payment["reference"], "captured", PRICE)
    assert (await admin.read(f"/payments/{payment['id']}"))["id"] == payment["id"]


@pytest.mark.parametrize("token", ["declined", "slow-declined:0.05"])
async def test_what_is_declined_stays_held(ada: Visitor, admin: Visitor, token: str) -> None:
    hold = await ada.hold("A1")

    answer = await ada.post(f"/reservations/{hold['id']}/confirm", paying(token))

    problem = refused(answer, 402, "payment-declined", "reason", "expires_at")
    assert (problem["reason"], problem["expires_at"]) == ("card_declined", hold["expires_at"])
    after = await ada.read(f"/reservations/{hold['id']}")
    assert (after["status"], after["payment"]) == ("held", None)
    payment = await the_payment(admin)
    assert (payment["status"], [each["kind"] for each in payment["entries"]]) == ("failed", ["fail"])
    told(await ada.post(f"/reservations/{hold['id']}/confirm"), 201)


async def test_a_provider_that_is_not_there(ada: Visitor, admin: Visitor) -> None:
    hold = await ada.hold("A1")

    answer = await ada.post(f"/reservations/{hold['id']}/confirm", paying("unavailable"))

    refused(answer, 503, "payments-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    assert (await the_payment(admin))["status"] == "voided"
    assert (await admin.read("/payments/dummy/books"))["items"] == []


@pytest.mark.parametrize("token", ["", "OK", "tok_visa", "slow", "slow:-1", "slow:x", "late:", "refund-fails:1.5"])
async def test_a_token_that_is_none(ada: Visitor, token: str) -> None:
    hold = await ada.hold("A1")

    answer = await ada.post(f"/reservations/{hold['id']}/confirm", paying(token))

    refused(answer, 422, "validation", "errors")


@pytest.mark.parametrize("token", ["timeout", "late:3600", "slow:3600", "action"])
async def test_what_is_not_decided_is_202(ada: Visitor, client: AsyncClient, token: str) -> None:
    hold = await ada.hold("A1")

    answer = await ada.post(f"/reservations/{hold['id']}/confirm", paying(token))

    body = told(answer, 202)
    assert int(answer.headers["retry-after"]) > 0
    assert (body["status"], body["id"], body["booking_id"]) == ("paying", hold["id"], None)
    expected = "requires_action" if token == "action" else "processing"
    assert (body["payment"]["provider"], body["payment"]["status"]) == ("dummy", expected)
    again = told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("ok")), 202)
    assert (again["id"], again["payment"]) == (hold["id"], body["payment"])
    shown = await ada.read(f"/reservations/{hold['id']}")
    assert (shown["status"], shown["payment"]) == ("paying", body["payment"])
    refused(await ada.delete(f"/reservations/{hold['id']}"), 409, "payment-pending", "reservation_id")
    refused(await ada.post(f"/reservations/{hold['id']}/extend"), 409, "payment-pending", "reservation_id")
    everything = told(await ada.delete("/screenings/1/reservations"), 200)
    assert everything["released"] == []
    bob = await guest(client, "bob@example.org")
    stands = await bob.post("/screenings/1/reservations", {"seats": ["A1"]})
    refused(stands, 409, "seats-unavailable", "seats", "available_seats", "suggestions")


async def test_a_caller_waits_for_the_provider_as_long_as_is_set(open_app: OpenApp) -> None:
    ada = await guest(await open_app(payment_wait_seconds=0.1), "ada@example.org")
    hold = await ada.hold("A1")

    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("timeout")), 202)


async def test_a_provider_that_never_answers_charged_nothing(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    hold = await ada.hold("A1")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("timeout")), 202)

    await finish(client, database)

    after = await ada.read(f"/reservations/{hold['id']}")
    assert (after["status"], after["payment"]) == ("held", None)
    payment = await the_payment(admin)
    assert (payment["status"], [each["kind"] for each in payment["entries"]]) == ("voided", ["void"])


@pytest.mark.parametrize("token", ["late:3600", "slow:3600"])
async def test_what_is_charged_later_is_booked_then(
    ada: Visitor, client: AsyncClient, database: Database, token: str
) -> None:
    hold = await ada.hold("A1")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying(token), key="k"), 202)
    await finish(client, database)
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "paying"

    await decide_now(database)
    await finish(client, database)

    after = await ada.read(f"/reservations/{hold['id']}")
    assert after["status"] == "booked"
    booking = await ada.read(f"/bookings/{after['booking_id']}")
    assert booking["payment"]["status"] == "paid"
    replayed = await ada.post(f"/reservations/{hold['id']}/confirm", paying(token), key="k")
    assert told(replayed, 201) == booking
    assert replayed.headers["idempotent-replayed"] == "true"


async def test_what_comes_after_it_was_called_off_goes_back(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    hold = await ada.hold("A1")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("late:3600")), 202)
    await deadline_passes(database)
    await finish(client, database)
    assert (await the_payment(admin))["status"] == "voided"
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"

    await decide_now(database)
    await resources_of(client).dummy.report_all(resources_of(client).cashier.hear_dummy)
    await finish(client, database)

    payment = await the_payment(admin, cause="too_late")
    assert (payment["status"], payment["amount"], payment["refunded"]) == ("refunded", PRICE, PRICE)
    assert [each["kind"] for each in payment["entries"]] == ["void", "capture", "refund"]
    [charge] = (await admin.read("/payments/dummy/books"))["items"]
    assert (charge["status"], charge["refunded"]) == ("refunded", PRICE)
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"


@pytest.mark.parametrize("decision", ["approve", "decline"])
async def test_the_payer_decides_on_a_page(ada: Visitor, client: AsyncClient, decision: str) -> None:
    hold = await ada.hold("A1")
    body = told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("action")), 202)
    page = body["payment"]["redirect_url"]
    shown = await client.get(page)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "45.00 EUR" in shown.text

    answer = await client.post(page, data={"decision": decision})

    assert answer.status_code == 200
    assert "<form" not in answer.text
    after = await ada.read(f"/reservations/{hold['id']}")
    assert after["status"] == ("booked" if decision == "approve" else "held")


async def test_a_page_that_nobody_may_see(client: AsyncClient) -> None:
    assert (await client.get("/payments/dummy/dummy-1")).status_code == 404


async def test_a_direct_booking_that_is_declined_holds_what_was_held(ada: Visitor) -> None:
    hold = await ada.hold("A1", "A2")

    answer = await ada.post("/bookings", {"screening_id": 1, "seats": ["A1", "A3"], **paying("declined")})

    problem = refused(answer, 402, "payment-declined", "reason", "expires_at")
    assert problem["expires_at"] == hold["expires_at"]
    assert await ada.taken() == {"A1": "reserved", "A2": "reserved"}
    after = await ada.read(f"/reservations/{hold['id']}")
    assert [seat["label"] for seat in after["seats"]] == ["A1", "A2"]
    declined = await ada.post("/bookings", {"screening_id": 1, "seat": "A5", **paying("declined")})
    assert declined.json()["expires_at"] is None


async def test_a_newcomer_pays_slowly(client: AsyncClient, database: Database) -> None:
    nobody = Visitor(client)

    answer = await nobody.post("/bookings", {"screening_id": 1, "seat": "A1", **paying("slow:3600")})

    body = told(answer, 202)
    ada = Visitor(client, body["guest_token"])
    await decide_now(database)
    await finish(client, database)
    after = await ada.read(f"/reservations/{body['id']}")
    assert after["status"] == "booked"


# --- giving back -----------------------------------------------------------------------------------------------------


async def test_what_is_cancelled_goes_back_when_the_provider_says_yes(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    hold = await ada.hold("A1", "A2")
    booking = told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("refund-fails:1")), 201)
    seat_id = booking["seats"][0]["seat_id"]

    cancelled = told(await ada.delete(f"/bookings/{booking['id']}/seats/{seat_id}"), 200)

    assert cancelled["payment"]["status"] == "refund_pending"
    assert cancelled["payment"]["refunded"] == NOTHING
    assert await ada.taken() == {"A2": "booked"}
    await finish(client, database)
    await finish(client, database)
    after = await ada.read(f"/bookings/{booking['id']}")
    assert (after["payment"]["status"], after["payment"]["refunded"]) == ("partly_refunded", PRICE)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await finish(client, database)
    after = await ada.read(f"/bookings/{booking['id']}")
    assert after["payment"]["status"] == "refunded"
    payment = await the_payment(admin, booking_id=booking["id"])
    assert (payment["status"], payment["cause"], payment["refunded"]) == ("refunded", "cancelled", payment["amount"])
    assert [each["kind"] for each in payment["entries"]] == ["capture", "refund", "refund"]


async def test_a_cancelled_screening_gives_everything_back(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    await ada.book("A1")
    await ada.book("A2")
    hold = await ada.hold("A3")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("slow:3600")), 202)

    assert (await admin.delete("/screenings/1")).status_code == 204

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "released"
    await decide_now(database)
    await finish(client, database)
    payments = (await admin.read("/payments?screening_id=1"))["items"]
    assert [each["status"] for each in payments] == ["refunded"] * 3
    assert {each["cause"] for each in payments} == {"screening_cancelled"}


async def test_customers_cancel_until_a_moment(ada: Visitor, admin: Visitor) -> None:
    booking = await ada.book("A1")
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    changed = told(await admin.ask("PATCH", "/screenings/1", {"cancel_until": past}), 200)

    answer = await ada.delete(f"/bookings/{booking['id']}")

    problem = refused(answer, 409, "cancellation-closed", "cancel_until")
    assert problem["cancel_until"] == changed["cancel_until"]
    told(await admin.delete(f"/bookings/{booking['id']}?reason=flood"), 200)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)


async def test_what_is_free_asks_nobody(ada: Visitor, admin: Visitor) -> None:
    free = dict.fromkeys((await ada.read("/screenings/1"))["prices"], NOTHING)
    told(await admin.ask("PATCH", "/screenings/1", {"prices": free}), 200)
    hold = await ada.hold("A1")

    booking = told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("timeout")), 201)

    assert (booking["payment"]["amount"], booking["payment"]["status"]) == (NOTHING, "paid")
    payment = await the_payment(admin)
    assert (payment["amount"], payment["status"], payment["entries"]) == (NOTHING, "captured", [])
    assert (await admin.read("/payments/dummy/books"))["items"] == []


# --- webhooks --------------------------------------------------------------------------------------------------------

HOOK: Final = "/payments/dummy/webhook"


def report(reference: str, status: str, amount: Any, at: datetime | None = None) -> tuple[dict[str, str], bytes]:
    """A webhook that the dummy might send."""
    at = at or datetime.now(UTC)
    said = {"reference": reference, "status": status, "amount": amount}
    body = orjson.dumps({"type": "payment." + status, "timestamp": at.isoformat(), "data": said})
    signature = Webhook(webhook_secret_from(JWT_SECRET)).sign("m1", at, body.decode())
    headers = {"webhook-id": "m1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return {"content-type": "application/json", **headers}, body


async def test_a_webhook_says_what_became_of_a_payment(ada: Visitor, admin: Visitor, client: AsyncClient) -> None:
    hold = await ada.hold("A1")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("slow:3600")), 202)
    headers, body = report((await the_payment(admin))["reference"], "captured", PRICE)

    for _ in range(2):
        assert (await client.post(HOOK, headers=headers, content=body)).status_code == 200

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "booked"
    assert [each["kind"] for each in (await the_payment(admin))["entries"]] == ["capture"]


@pytest.mark.parametrize("amount", [{"amount_minor": 1, "currency": "EUR"}, {"amount_minor": 4500, "currency": "USD"}])
async def test_a_wrong_amount_is_never_booked(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database, amount: Any
) -> None:
    hold = await ada.hold("A1")
    told(await ada.post(f"/reservations/{hold['id']}/confirm", paying("slow:3600")), 202)
    headers, body = report((await the_payment(admin))["reference"], "captured", amount)

    assert (await client.post(HOOK, headers=headers, content=body)).status_code == 200
    await finish(client, database)

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    payment = await the_payment(admin, cause="wrong_amount")
    assert (payment["status"], payment["amount"], payment["refunded"]) == ("refunded", amount, amount)
    assert payment["booking_id"] is None


async def test_a_webhook_about_something_else(client: AsyncClient) -> None:
    for said in (report("dummy-unknown", "captured", PRICE), report("x", "dancing", None)):
        assert (await client.post(HOOK, headers=said[0], content=said[1])).status_code == 200


async def test_a_webhook_that_is_not_the_providers(client: AsyncClient) -> None:
    headers, body = report("dummy-1", "captured", PRICE)
    early, late = (report("dummy-1", "captured", PRICE, datetime.now(UTC) + timedelta(minutes=by)) for by in (-6, 6))

    for its_headers, its_body in (
        ({**headers, "webhook-signature": "v1,AAAA"}, body),
        ({**headers, "webhook-signature": "nonsense"}, body),
        ({**headers, "webhook-timestamp": "soon"}, body),
        ({"content-type": "application/json"}, body),
        (headers, body + b" "),
        (headers, b"\xff"),
        early,
        late,
    ):
        answer = await client.post(HOOK, headers=its_headers, content=its_body)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert (await client.post(HOOK, headers=headers, content=b"x" * 1_000_000)).status_code == 413
    assert (await client.post("/payments/nobody/webhook", headers=headers, content=body)).status_code == 404
