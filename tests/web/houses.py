"""Houses and screenings for the tests of pages, made through the API as an organizer would."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx import AsyncClient

EUR = "EUR"
PRICES = {"premium": 4500, "standard": 2500, "economy": 1500, "vip": 8900, "category-1": 5900, "category-2": 3900}


@dataclass(frozen=True, slots=True)
class Show:
    """A screening of a test's own. `seats` are its seats by label."""

    id: int
    seats: dict[str, int]
    client: AsyncClient

    async def taken_by_somebody(self, *labels: str) -> str:
        """Somebody else holds these seats. Gives the reservation."""
        answer = await self.client.post(f"/screenings/{self.id}/reservations", json={"seats": list(labels)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def counts(self) -> dict[str, int]:
        """How many seats are available, reserved, booked and blocked."""
        counts: dict[str, int] = (await self.client.get(f"/screenings/{self.id}/availability")).json()["counts"]
        return counts


class Organizer:
    """Makes houses and screenings."""

    def __init__(self, client: AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"}

    async def screening(self, theater_id: int = 1, title: str = "The Tempest", **changes: Any) -> Show:
        """A screening in a week, in a house that is there."""
        layout = (await self._client.get(f"/theaters/{theater_id}/layout")).json()
        categories = {seat["category"] for seat in layout["seats"]}
        prices = {name: {"amount_minor": PRICES.get(name, 2000), "currency": EUR} for name in categories}
        starts_at = (datetime.now(UTC) + timedelta(days=7)).isoformat().replace("+00:00", "Z")
        body = {"title": title, "starts_at": starts_at, "prices": prices, **changes}
        made = await self._client.post(f"/theaters/{theater_id}/screenings", json=body, headers=self._headers)
        assert made.status_code == 201, made.text
        return Show(made.json()["id"], {seat["label"]: seat["id"] for seat in layout["seats"]}, self._client)

    async def block(self, show: Show, *labels: str) -> None:
        """The house keeps these seats."""
        answer = await self._client.post(
            f"/screenings/{show.id}/blocks", json={"seats": list(labels)}, headers=self._headers
        )
        assert answer.status_code == 200, answer.text

    async def price(self, show: Show, **amounts: int) -> None:
        """From now on a seat of these categories costs so many cents; one of the others has no price."""
        prices = {name: {"amount_minor": amount, "currency": EUR} for name, amount in amounts.items()}
        answer = await self._client.patch(f"/screenings/{show.id}", json={"prices": prices}, headers=self._headers)
        assert answer.status_code == 200, answer.text

    async def cancel(self, show: Show) -> None:
        """The screening does not take place."""
        answer = await self._client.delete(f"/screenings/{show.id}", headers=self._headers)
        assert answer.status_code == 204, answer.text

    async def house(self, sections: list[dict[str, Any]], name: str = "Test house") -> int:
        """A new theater with these sections."""
        body = {"name": name, "timezone": "Europe/Berlin", "layout": {"sections": sections}}
        made = await self._client.post("/theaters", json=body, headers=self._headers)
        assert made.status_code == 201, made.text
        return int(made.json()["id"])


def large(sections: int, rows: int, seats: int) -> list[dict[str, Any]]:
    """Blocks beside and behind each other: so many, of so many rows, of so many seats."""
    across = 5
    return [
        {
            "name": f"Block {number + 1}",
            "category": ("vip", "category-1", "category-2")[min(number // across, 2)],
            "rows": [
                {
                    "row": str(row + 1),
                    "seats": [
                        {
                            "number": seat + 1,
                            "x": (number % across) * (seats + 5) + seat,
                            "y": (number // across) * (rows + 5) + row,
                        }
                        for seat in range(seats)
                    ],
                }
                for row in range(rows)
            ],
        }
        for number in range(sections)
    ]
