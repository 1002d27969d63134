"""Live seats as a WebSocket (docs/api.md, section 9). It is served at the root, where existing clients look for it."""

from fastapi import APIRouter

from app.http.live.socket import Door
from app.http.routes import BASE

router = APIRouter()
for _path in ("/ws/screenings/{screening_id}", f"{BASE}/ws/screenings/{{screening_id}}"):
    router.add_websocket_route(_path, Door())  # type: ignore[arg-type]  # an application, as Starlette's route takes it
