"""Live seats as a WebSocket (docs/api.md, section 9). It is served at the root, where existing clients look for it."""

from fastapi import APIRouter

from app.http.live.socket import Door
from app.http.replies import Reply
from app.http.runner.routes import BASE, ApiRoute
from app.schemas.format.faults import UpgradeRequired

router = APIRouter(route_class=ApiRoute)


async def say_that_it_is_a_socket(screening_id: str) -> Reply:
    """What somebody is told who asks without an upgrade, as when a proxy has dropped it."""
    raise UpgradeRequired


for _path in ("/ws/screenings/{screening_id}", f"{BASE}/ws/screenings/{{screening_id}}"):
    router.add_websocket_route(_path, Door())  # type: ignore[arg-type]  # an application, as Starlette's route takes it
    router.add_api_route(_path, say_that_it_is_a_socket, methods=["GET"], include_in_schema=False)
