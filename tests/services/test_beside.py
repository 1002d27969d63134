"""What takes long is made in a thread; what is small is made at once, and nobody waits."""

from threading import get_ident

import pytest

from app.services.beside import AT_ONCE, beside


async def test_few_things_are_made_without_waiting() -> None:
    making = beside(AT_ONCE, get_ident)

    with pytest.raises(StopIteration) as done:
        making.send(None)

    assert done.value.value == get_ident()


async def test_many_things_are_made_elsewhere() -> None:
    assert await beside(AT_ONCE + 1, get_ident) != get_ident()


@pytest.mark.parametrize("how_many", [1, AT_ONCE + 1])
async def test_what_is_raised_is_raised(how_many: int) -> None:
    with pytest.raises(ValueError, match="no number"):
        await beside(how_many, int, "no number")
