"""The buyers' pages as files: a strict policy, cached as far as possible, compressed, told from the API's calls."""

import gzip
import re

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.changes_nothing
@pytest.mark.parametrize("path", ["/", "/book/1", "/bookings"])
async def test_a_page_loads_only_what_we_serve(client: AsyncClient, path: str) -> None:
    page = await client.get(path, headers=BROWSER)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script(?![^>]*src)|<style| on\w+=|style=", page.text)
    sources = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(sources) > 10
    for source in set(sources) - {"/docs"}:
        asset = await client.get(source)
        assert asset.status_code == 200, source
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["x-content-type-options"] == "nosniff"


async def test_the_policy_allows_nothing_inline_and_no_frame(client: AsyncClient) -> None:
    headers = (await client.get("/")).headers

    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert "x-frame-options" not in headers
    assert headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"


async def test_a_setting_names_who_may_frame_a_page(open_app: OpenApp) -> None:
    client = await open_app(frame_ancestors="https://www.example.org, https://*.example.com")

    policy = (await client.get("/book/1")).headers["content-security-policy"]

    assert policy.endswith("frame-ancestors https://www.example.org https://*.example.com")


@pytest.mark.changes_nothing
@pytest.mark.parametrize(("path", "status"), [("/book/1", 200), ("/book/999999", 404), ("/book/abc", 404)])
async def test_a_screening_that_there_is_not_is_a_404_with_a_page(client: AsyncClient, path: str, status: int) -> None:
    page = await client.get(path)

    assert page.status_code == status
    assert 'id="app"' in page.text


async def test_bookings_are_a_page_for_browsers_and_a_list_for_programs(client: AsyncClient) -> None:
    page = await client.get("/bookings", headers=BROWSER)
    listed = await client.get("/bookings")
    asked = await client.get("/bookings", headers={**BROWSER, "authorization": "Bearer nonsense"})

    assert page.headers["content-type"].startswith("text/html")
    assert "accept" in page.headers["vary"]
    assert listed.status_code == asked.status_code == 401


async def test_what_the_browser_has_is_not_sent_again(client: AsyncClient) -> None:
    first = await client.get("/assets/usher.css")
    again = await client.get("/assets/usher.css", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


async def test_files_are_compressed_for_who_understands_it(client: AsyncClient) -> None:
    plain = await client.get("/assets/api.js", headers={"accept-encoding": "identity"})
    async with client.stream("GET", "/assets/api.js", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join([part async for part in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert len(packed) < len(plain.content) / 2
    assert gzip.decompress(packed) == plain.content


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "path", ["/assets/nothing.js", "/assets/../settings.py", "/assets/1/words/xx.js", "/assets/docs.js"]
)
async def test_nothing_else_is_served(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
