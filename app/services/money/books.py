"""Whether the books are right: ours by themselves, in all, and against the provider's."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.money import books
from app.db.money.books import Total, Wrong


@dataclass(frozen=True, slots=True)
class Findings:
    """What the books say. `still_open`: payments that are not decided yet, which is nothing wrong."""

    totals: list[Total]
    wrong: list[Wrong]
    still_open: int

    @property
    def unbalanced(self) -> list[Total]:
        """Currencies in which what was taken and did not go back is not the price of all that is sold."""
        return [
            each
            for each in self.totals
            if each.captured_minor - each.refunded_minor - each.refunding_minor != each.sold_minor
        ]

    @property
    def are_right(self) -> bool:
        return not (self.wrong or self.unbalanced)


async def examine(engine: AsyncEngine) -> Findings:
    """Look into all books, as they were at one moment."""
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    async with snapshot.connect() as connection:
        return Findings(
            await books.totals(connection), await books.wrong(connection), await books.still_open(connection)
        )
