"""What the box office says in a batch of one screening, as `make statements` rehearses it."""

from benchmarks.writing.statements import rehearse
from tests.citus.exceptions import NAMES_NO_SCREENING
from tests.citus.reading import NoQuery
from tests.citus.rules import violations

LIMITED = "hold, in a screening that limits each buyer"
"""Counts what a buyer has in all screenings, so one statement of it asks all nodes."""


async def test_every_statement_of_the_office_keeps_the_rules() -> None:
    for about, said in (await rehearse(per_screening=True)).items():
        for statement in said:
            try:
                broken = {violation.rule.name for violation in violations(statement)}
            except NoQuery:
                continue
            if about == LIMITED:
                broken -= {NAMES_NO_SCREENING}
            assert not broken, (about, broken, statement)


async def test_an_office_of_many_screenings_would_not() -> None:
    said = [statement for each in (await rehearse(per_screening=False)).values() for statement in each]

    assert any(violations(statement) for statement in said if statement.startswith("SELECT"))
