"""The pages for people who buy: screenings, a screening's map, their bookings; and the files that those pages load."""

from typing import Final

from fastapi import APIRouter

from app.dependencies import Catalogue
from app.domain.house.catalogue import ListedScreening, Theater
from app.domain.refusals import NotFound, Refusal
from app.http.pages.documents import document, document_of_screening
from app.http.pages.files import WebFile, asset
from app.http.pages.policy import page_headers
from app.http.pages.served import features_of
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import ApiRoute
from app.schemas.format.ids import LARGEST_INTEGER

router = APIRouter(route_class=ApiRoute, include_in_schema=False)

BOOKINGS_PAGE: Final = "/pages/bookings"
"""Where the edge leads browsers that ask for `/bookings`, which is also a call of the API."""

_VARIES: Final = (b"vary", b"accept")


@router.get("/")
async def show_screenings(request: ApiRequest) -> Reply:
    """What is on sale."""
    return _page(request, document(_features(request)))


@router.get(BOOKINGS_PAGE)
async def show_bookings(request: ApiRequest) -> Reply:
    """What the visitor has booked."""
    return _page(request, document(_features(request)))


@router.get("/book/{screening_id}")
async def show_screening(request: ApiRequest, screening_id: str, catalogue: Catalogue) -> Reply:
    """The map of a screening, where seats are chosen and paid for."""
    try:
        shown = await _screening(screening_id, catalogue)
    except NotFound:
        return _page(request, document(_features(request)), 404)
    except Refusal:  # the page asks again by itself
        return _page(request, document(_features(request)))
    listed, theater = shown
    return _page(request, document_of_screening(_features(request), listed, theater))


@router.get("/assets/{name}")
async def show_asset(request: ApiRequest, name: str) -> Reply:
    """A file at the address that does not change, as api.js has for other front ends."""
    return _asset(request, name, None)


@router.get("/assets/{wanted}/{name}")
async def show_asset_of_version(request: ApiRequest, wanted: str, name: str) -> Reply:
    """A file of the pages."""
    return _asset(request, name, wanted)


@router.get("/assets/{wanted}/{folder}/{name}")
async def show_asset_in_folder(request: ApiRequest, wanted: str, folder: str, name: str) -> Reply:
    """A first module or the words of a language."""
    return _asset(request, f"{folder}/{name}", wanted)


@router.get("/assets/{wanted}/{folder}/{within}/{name}")
async def show_asset_in_inner_folder(request: ApiRequest, wanted: str, folder: str, within: str, name: str) -> Reply:
    """A module of a part of the pages."""
    return _asset(request, f"{folder}/{within}/{name}", wanted)


async def _screening(screening_id: str, catalogue: Catalogue) -> tuple[ListedScreening, Theater]:
    """The screening of an address, and its theater. Raises NotFound, also for what is no number."""
    is_number = screening_id.isascii() and screening_id.isdigit() and len(screening_id) <= 19
    if not is_number or int(screening_id) > LARGEST_INTEGER:
        raise NotFound("screening")
    listed = await catalogue.screening(int(screening_id))
    return listed, await catalogue.theater(listed.screening.theater_id)


def _asset(request: ApiRequest, path: str, wanted: str | None) -> Reply:
    found = asset(request, path, wanted)
    if found is None:
        raise NotFound("file")
    return found


def _page(request: ApiRequest, shown: WebFile, status: int = 200) -> Reply:
    headers = (*page_headers(request.resources.settings.frame_ancestors), _VARIES)
    return shown.reply(request, status=status, headers=headers)


def _features(request: ApiRequest) -> str:
    return " ".join(sorted(features_of(request.app)))
