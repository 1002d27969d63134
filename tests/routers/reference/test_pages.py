"""The buyers' pages as files: a strict policy, cached as far as possible, compressed, told from the API's calls."""

import gzip
import html
import json
import re
from urllib.parse import urljoin

import pytest
from httpx import AsyncClient

from app.http.pages.files import assets, version
from app.http.pages.joined import joined
from tests.conftest import OpenApp
from tests.routers.visitors import Database

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.changes_nothing
@pytest.mark.parametrize("path", ["/", "/book/1", "/bookings"])
async def test_a_page_loads_only_what_we_serve(client: AsyncClient, path: str) -> None:
    page = await client.get(path, headers=BROWSER)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script(?![^>]*src)|<style| on\w+=|style=", page.text)
    sources = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        asset = await client.get(source)
        assert asset.status_code == 200, source
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["x-content-type-options"] == "nosniff"


async def test_a_page_of_a_screening_knows_it_and_lets_the_browser_ask_for_its_seats(client: AsyncClient) -> None:
    page = await client.get("/book/1")

    content = re.search(r'<meta name="known" content="([^"]*)">', page.text)
    assert content is not None
    known = json.loads(html.unescape(content[1]))
    assert known == {
        "screening": (await client.get("/screenings/1")).json(),
        "theater": (await client.get("/theaters/1")).json(),
    }
    asked = re.findall(r'<link rel="preload" as="fetch" crossorigin href="([^"]+)">', page.text)
    assert asked == ["/api/v1/theaters/1/layout", "/api/v1/screenings/1/availability"]


async def test_a_title_is_text_and_no_markup(client: AsyncClient, database: Database) -> None:
    title = """"'><script src=x></script>&quot;"""
    await database.execute("UPDATE screenings SET title = $1 WHERE id = 1", title)

    page = await client.get("/book/1")

    content = re.search(r'<meta name="known" content="([^"]*)">', page.text)
    assert content is not None
    assert "<" not in content[1]
    assert json.loads(html.unescape(content[1]))["screening"]["title"] == title


def test_modules_are_joined_in_the_order_of_their_imports() -> None:
    modules = {
        "m/main.js": 'import { one as first } from "./one.js";\nimport words from "../words/en.js";\nfirst(words);\n',
        "m/one.js": 'import { two } from "./two.js";\nexport { two };\nexport function one() {}\n',
        "m/two.js": "export const two = await 2;\n",
        "words/en.js": 'export default { hello: "Hello" };\n',
        "words/de.js": "never asked for",
    }

    text = joined(modules, "m/main.js")

    assert re.findall("^const .*{$", text, re.MULTILINE) == [
        "const $m_two = await (async () => {",
        "const $m_one = (() => {",
        "const $words_en = (() => {",
        "const $m_main = (() => {",
    ]
    assert "const { one: first } = $m_one;\nconst { default: words } = $words_en;\nfirst(words);\n" in text
    assert "return { one, two };" in text
    assert "return { default: $default };" in text
    assert "never" not in text


@pytest.mark.parametrize(
    "modules",
    [
        {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'},
        {"a.js": "export let moving = 1;\n"},
        {"a.js": 'import * as all from "./b.js";\n'},
        {"a.js": 'import "./b.js";\n'},
    ],
)
def test_what_cannot_be_joined_is_refused(modules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"a\.js"):
        joined(modules, "a.js")


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


@pytest.mark.changes_nothing
async def test_each_module_can_be_had_by_itself_and_leads_to_those_that_it_imports(client: AsyncClient) -> None:
    first = f"/assets/{version()}/modules/main.js"
    seen, waiting = set[str](), [first]
    while waiting:
        address = waiting.pop()
        if address not in seen:
            seen.add(address)
            module = await client.get(address)
            assert module.status_code == 200, address
            waiting += [
                urljoin(address, each) for each in re.findall(r'^import .* from "(.+)";$', module.text, re.MULTILINE)
            ]

    of_ours = {f"/assets/{version()}/{path}" for path in assets() if path.startswith("modules/")}
    assert {each for each in seen if "/modules/" in each} == of_ours - {f"/assets/{version()}/modules/joined.js"}


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
    "path",
    [
        *("/assets/nothing.js", "/assets/../settings.py", "/assets/1/words/xx.js", "/assets/docs.js"),
        *("/assets/1/modules/page/xx.js", "/assets/1/modules/page", "/assets/1/modules/page/../main.js/x"),
    ],
)
async def test_nothing_else_is_served(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
