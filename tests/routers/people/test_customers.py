"""Programs that sell for many: each Customer-Reference of an API key is a customer of their own."""

from dataclasses import dataclass
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.domain.people.people import KeyScope, Person, Role
from app.http.credentials import Credential
from tests.conftest import OpenApp, resources_of
from tests.order import edit
from tests.organizers import token_of
from tests.routers.visitors import BASES, Database, Visitor, labels, refused, told


@dataclass(frozen=True, slots=True)
class Customer(Visitor):
    """Somebody for whom a program calls."""

    reference: str = ""

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> Response:
        return await Visitor.ask(self, method, path, body, key=key, customer_reference=self.reference, **headers)


async def key_of(database: Database, client: AsyncClient, role: Role = Role.CUSTOMER, *scopes: str) -> str:
    """The text of a new API key."""
    admin = Visitor(client, await token_of(database, Role.ADMIN))
    wanted = {"name": "Kiosk", "role": role, "scopes": scopes or [KeyScope.READ, KeyScope.SELL]}
    return str(told(await admin.post("/api-keys", wanted), 201)["key"])


@pytest.fixture
async def key(database: Database, client: AsyncClient) -> str:
    """A program's key."""
    return await key_of(database, client)


@pytest.fixture
def first(client: AsyncClient, key: str) -> Customer:
    """A customer of the program."""
    return Customer(client, key, "customer-1")


@pytest.fixture
def second(client: AsyncClient, key: str) -> Customer:
    """Another one."""
    return Customer(client, key, "customer-2")


async def users(database: Database) -> int:
    return int(await database.fetchval("SELECT count(*) FROM users"))


async def test_two_customers_do_not_get_each_others_reservation(first: Customer, second: Customer) -> None:
    hers = await first.hold("A1")

    problem = refused(
        await second.post("/screenings/1/reservations", {"seats": ["A1"]}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )

    assert problem["seats"][0]["reason"] == "Somebody else is holding this seat."
    again = told(await first.post("/screenings/1/reservations", {"seats": ["A1"]}), 200)
    assert again["id"] == hers["id"]


async def test_a_toggle_does_not_release_what_another_customer_holds(first: Customer, second: Customer) -> None:
    await first.hold("A1")

    answer = await second.post("/screenings/1/reservations/toggle", {"seats": ["A1"]})

    refused(answer, 409, "seats-unavailable", "seats", "available_seats", "suggestions")
    assert labels((await first.toggle("A1"))["released"]) == ["A1"]


async def test_lists_maps_and_me_are_the_customers(first: Customer, second: Customer) -> None:
    hers, his = await first.hold("A1"), await second.book("A2")

    for base in BASES:
        assert [each["id"] for each in (await first.read(f"{base}/reservations"))["items"]] == [hers["id"]]
        assert (await second.read(f"{base}/reservations"))["items"] == []
        assert [each["id"] for each in (await second.read(f"{base}/bookings"))["items"]] == [his["id"]]
    me = await first.read("/me")
    assert (me["id"], me["role"], me["is_guest"], me["active_reservations"]) == (hers["user_id"], "customer", False, 1)
    seats = (await first.read("/screenings/1/seats/me"))["seats"]
    assert [seat["label"] for seat in seats if seat["is_mine"]] == ["A1"]
    refused(await second.get(f"/reservations/{hers['id']}"), 404, "not-found")


async def test_confirming_releasing_and_cancelling_are_the_customers(first: Customer, second: Customer) -> None:
    hers = await first.hold("A1", "A2")

    refused(await second.post(f"/reservations/{hers['id']}/confirm"), 404, "not-found")
    assert told(await second.delete("/screenings/1/reservations"), 200)["released"] == []
    booking = await first.confirm(hers)
    refused(await second.delete(f"/bookings/{booking['id']}"), 404, "not-found")
    assert told(await first.delete(f"/bookings/{booking['id']}"), 200)["status"] == "cancelled"


async def test_limits_count_each_customer(first: Customer, second: Customer, database: Database) -> None:
    await edit(database, "max_seats_per_user = 2, revision = revision + 1", "id = 1")
    await first.hold("A1", "A2")

    await second.hold("A3", "A4")

    answer = await first.post("/screenings/1/reservations", {"seats": ["A5"]})
    refused(answer, 409, "limit-exceeded", "limit", "allowed", "current")


async def test_idempotency_keys_belong_to_the_customer(first: Customer, second: Customer) -> None:
    hers, his = [
        told(await each.post("/screenings/1/reservations", {"seats": [label]}, key="the-same"), 201)
        for each, label in ((first, "A1"), (second, "A2"))
    ]

    again = await first.post("/screenings/1/reservations", {"seats": ["A1"]}, key="the-same")

    assert hers["id"] != his["id"]
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == hers


async def test_calls_of_existing_clients_know_customers(first: Customer, second: Customer) -> None:
    hers = told(await first.post("/reserve", {"seat_id": 1}), 201)

    assert told(await second.post("/reserve", {"seat_id": 2}), 201)["user_id"] != hers["user_id"]


async def test_without_the_header_a_key_acts_as_itself(client: AsyncClient, key: str, first: Customer) -> None:
    hers, itself = await first.hold("A1"), Visitor(client, key)

    its_own = await itself.hold("A2")

    assert its_own["user_id"] == (await itself.read("/me"))["id"] != hers["user_id"]
    assert [each["id"] for each in (await itself.read("/reservations"))["items"]] == [its_own["id"]]


async def test_the_same_reference_of_another_key_is_somebody_else(
    client: AsyncClient, database: Database, first: Customer
) -> None:
    other = Customer(client, await key_of(database, client), first.reference)
    await first.hold("A1")

    assert (await other.read("/reservations"))["items"] == []
    assert (await other.hold("A2"))["user_id"] != (await first.read("/me"))["id"]


async def test_a_customer_of_an_organizers_key_is_a_customer(client: AsyncClient, database: Database) -> None:
    key = await key_of(database, client, Role.ORGANIZER)
    await Visitor(client, key).book("A1")

    customer = Customer(client, key, "customer-1")

    assert (await customer.read("/bookings"))["items"] == []
    assert (await customer.hold("A2"))["user_id"] != (await Visitor(client, key).read("/me"))["id"]


async def test_reading_for_a_customer_who_is_not_known_makes_none(first: Customer, database: Database) -> None:
    before = await users(database)

    assert (await first.read("/reservations"))["items"] == []
    assert (await first.read("/bookings"))["items"] == []
    assert not any(seat["is_mine"] for seat in (await first.read("/screenings/1/seats/me"))["seats"])
    refused(await first.get("/me"), 404, "not-found")

    assert await users(database) == before
    await first.hold("A1")
    assert len((await first.read("/reservations"))["items"]) == 1


async def test_a_customer_is_the_same_in_every_process(open_app: OpenApp, database: Database) -> None:
    here, elsewhere = await open_app(), await open_app()
    key = await key_of(database, here)
    hers = await Customer(here, key, "customer-1").hold("A1")

    there = Customer(elsewhere, key, "customer-1")

    assert (await there.read("/reservations"))["items"][0]["id"] == hers["id"]
    program = Person(hers["user_id"], scopes=frozenset({KeyScope.SELL}))  # any user will do for that of a key
    made = [await resources_of(each).customers.of(program, "new", make=True) for each in (here, elsewhere)]
    assert made[0] == made[1]


async def test_a_customer_who_was_met_is_not_looked_up_again(first: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    await first.hold("A1")
    monkeypatch.setattr(
        "app.services.people.customers.customers.find", lambda *_: pytest.fail("they were looked up again")
    )

    assert len((await first.read("/reservations"))["items"]) == 1
    await first.hold("A2")


@pytest.mark.parametrize("reference", ["x", "x" * 128, "!~", 'a "quoted" one'.replace(" ", "-")])
async def test_any_visible_characters_are_a_reference(client: AsyncClient, key: str, reference: str) -> None:
    await Customer(client, key, reference).hold("A1")


@pytest.mark.changes_nothing
@pytest.mark.parametrize("reference", ["", "x" * 129, "two words", "tab\tbed", "caf\u00e9"])
async def test_what_is_no_reference_is_refused(client: AsyncClient, key: str, reference: str) -> None:
    sent = [(b"authorization", f"Bearer {key}".encode()), (b"customer-reference", reference.encode())]

    for method, path in (("GET", "/reservations"), ("POST", "/screenings/1/reservations")):
        answer = await client.request(method, path, headers=sent, json={"seats": ["A1"]})
        assert "1 to 128 visible ASCII characters" in refused(answer, 400, "bad-request")["detail"]


async def test_a_reference_that_is_sent_twice_is_refused(client: AsyncClient, key: str) -> None:
    sent = [(b"authorization", f"Bearer {key}".encode())] + [(b"customer-reference", b"customer-1")] * 2

    answer = await client.get("/reservations", headers=sent)

    assert "more than once" in refused(answer, 400, "bad-request")["detail"]


async def test_only_keys_that_sell_may_send_it(client: AsyncClient, database: Database, ada: Visitor) -> None:
    reader = await key_of(database, client, Role.CUSTOMER, "read")

    for token in (ada.token, reader, await token_of(database)):
        problem = refused(await Customer(client, token, "customer-1").get("/reservations"), 403, "forbidden")
        assert "Only API keys with the scope sell may send Customer-Reference" in problem["detail"]
    refused(await Customer(client, None, "customer-1").get("/reservations"), 401, "unauthenticated")
    answer = await Customer(client, None, "customer-1").post("/screenings/1/reservations", {"seats": ["A1"]})
    refused(answer, 401, "unauthenticated")


async def test_it_means_nothing_where_nobody_buys(client: AsyncClient, database: Database) -> None:
    key = await key_of(database, client, Role.ADMIN, *KeyScope)
    customer = Customer(client, key, "customer-1")

    for method, path, body in (
        ("DELETE", "/me", None),
        ("GET", "/api-keys", None),
        ("GET", "/screenings/1/seats/1/history", None),
    ):
        answer = await client.request(
            method,
            path,
            headers={"authorization": f"Bearer {key}", "customer-reference": "customer-1"},
            json=body,
        )
        assert "not made for a customer" in refused(answer, 400, "bad-request")["detail"]
    assert (await customer.get("/reservations")).status_code == 200


async def test_the_document_says_where_it_is_sent(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    takers = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in paths.items()
        for method, operation in item.items()
        if any(each["name"] == "Customer-Reference" for each in operation.get("parameters", ()))
    }

    assert {"GET /me", "GET /reservations", "GET /bookings", "POST /bookings"} <= takers
    assert {"DELETE /me", "POST /screenings/{screening_id}/blocks"}.isdisjoint(takers)


async def test_a_customers_stream_goes_on(client: AsyncClient, key: str, first: Customer) -> None:
    hers = await first.hold("A1")

    watching = Credential(resources_of(client), key.encode(), Person(hers["user_id"]))

    assert await watching.warning() is None
