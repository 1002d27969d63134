"""Maps and layouts for whoever can unpack them: the same bytes, fewer of them on the way."""

import pytest

from tests.organizers import token_of
from tests.routers.visitors import Database, Visitor, told

PACKED = ["/screenings/4/seats", "/screenings/4/availability", "/theaters/3/layout", "/theaters/3/seats"]


@pytest.mark.parametrize("path", PACKED)
async def test_who_can_unpack_gets_less_to_read(nobody: Visitor, ada: Visitor, path: str) -> None:
    told(await ada.post("/screenings/4/reservations", {"seat_ids": list(range(101, 111))}), 201)
    plain = await nobody.get(path, accept_encoding="identity")
    packed = await nobody.get(path, accept_encoding="br, gzip;q=0.5")

    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert (plain.headers["vary"], packed.headers["vary"]) == ("accept-encoding", "accept-encoding")
    assert packed.headers["etag"] != plain.headers["etag"]
    if len(plain.content) >= 1024:
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(plain.content) / 2


@pytest.mark.parametrize("path", PACKED)
async def test_either_tag_says_that_nothing_has_changed(nobody: Visitor, path: str) -> None:
    tags = {each: (await nobody.get(path, accept_encoding=each)).headers["etag"] for each in ("gzip", "identity")}

    for coding in tags:
        for tag in tags.values():
            same = await nobody.get(path, accept_encoding=coding, if_none_match=tag)
            assert (same.status_code, same.headers["etag"], same.headers["vary"]) == (304, tag, "accept-encoding")


@pytest.mark.parametrize("coding", ["", "br", "gzip;q=0", "gzip; q=0.000", "identity, *;q=0", "*;q=1, gzip;q=0"])
async def test_who_cannot_unpack_gets_it_plain(nobody: Visitor, coding: str) -> None:
    assert "content-encoding" not in (await nobody.get("/screenings/4/seats", accept_encoding=coding)).headers


async def test_a_layout_is_edited_by_the_tag_of_its_packed_form(nobody: Visitor, database: Database) -> None:
    olga = Visitor(nobody.client, await token_of(database))
    tag = (await nobody.get("/theaters/1/layout", accept_encoding="gzip")).headers["etag"]
    house = {"sections": [{"name": "A", "category": "premium", "rows": [{"row": "A", "seats": 20}]}]}
    assert tag == '"1-gzip"'
    assert (await olga.ask("PUT", "/theaters/1/layout", house, if_match=tag)).status_code == 200
    assert (await olga.ask("PUT", "/theaters/1/layout", house, if_match=tag)).status_code == 412
