"""Ids for callers whom nobody knew: nobody gets one that somebody else has, had or will have."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import accounts, customers, users
from app.db.people.user_ids import new_id, new_ids
from app.domain.people import Role
from app.services.people.guests import Guests

EXACT_IN_JAVASCRIPT = 2**53 - 1


def test_everybody_is_somebody_else_in_every_process() -> None:
    processes = [Guests() for _ in range(4)]

    guests = [each.newcomer() for _ in range(5_000) for each in processes]

    assert len({guest.id for guest in guests}) == len(guests)
    assert all(guest.is_guest and guest.is_new for guest in guests)


def test_ids_are_numbers_that_every_client_reads() -> None:
    blocks = [new_ids() for _ in range(1_000)]

    assert all(block[0] >= 4_096 and block[-1] <= EXACT_IN_JAVASCRIPT for block in blocks)
    assert len({block[0] for block in blocks}) == len(blocks)
    assert 1 <= new_id() <= EXACT_IN_JAVASCRIPT


@pytest.mark.parametrize("kind", ["guest", "account", "machine", "customer"])
async def test_no_id_comes_again_when_the_sequence_goes_back(engine: AsyncEngine, kind: str) -> None:
    """As after a fail-over to a standby that had not heard of the last values."""

    async def one_more(number: int) -> int | None:
        async with engine.begin() as connection:
            match kind:
                case "guest":
                    return await users.insert_guest(connection, "ada@example.org")
                case "account":
                    name = f"ada{number}"
                    return await accounts.insert_account(connection, name, name, None, "hash", Role.CUSTOMER)
                case "machine":
                    return await accounts.insert_machine(connection, Role.STAFF)
                case _:
                    owner_id = await accounts.insert_machine(connection, Role.CUSTOMER)
                    return await customers.insert(connection, owner_id, f"{number}")

    lost = await one_more(1)
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE users RESTART IDENTITY CASCADE"))

    assert await one_more(2) != lost
