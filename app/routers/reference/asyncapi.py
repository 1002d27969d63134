"""The messages of live seats for programs and people: an AsyncAPI document, a JSON Schema for each message in it."""

from functools import cache
from typing import Any, Final

import orjson
from fastapi import APIRouter
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app import __version__
from app.http.live.socket import Close
from app.http.replies import ALWAYS_ASKED, Reply
from app.http.request import ApiRequest
from app.http.runner.routes import BASE, ApiRoute
from app.routers.reference.docs import tagged
from app.schemas.live import ANSWERED, HEARD, TOLD

router = APIRouter(route_class=ApiRoute, include_in_schema=False)

_MEANINGS: Final = {
    Close.BROKEN: "An unhandled exception. Connect again in a moment.",
    Close.STOPPING: "Usher restarts. Come back in a moment; nothing that is held is lost.",
    Close.NOT_TEXT: "A binary message.",
    Close.NONSENSE: "Too many messages, or too many that are not understood.",
    Close.FULL: "The process is full, or PostgreSQL is not reachable. Connect again in a moment.",
    Close.UNAUTHENTICATED: "A token that is not believed, or that has ended.",
    Close.FORBIDDEN: "The Origin is neither this host's nor one of CORS_ORIGINS.",
    Close.NOT_FOUND: "There is no such screening.",
    Close.TOO_SLOW: "The listener did not keep up. Read the map and come back with its version.",
    Close.TOO_MANY: "Too many connections from one address.",
}
_DESCRIPTION: Final = """\
One feed, two doors, the same objects. Versions only grow; one message may carry the changes of several versions.
Whoever comes back with the last version (`Last-Event-ID`, or `?since=`) misses nothing; a `resync` says to read the
whole map again, GET /api/v1/screenings/{screening_id}/seats.

A socket's token comes as `?token=`, as the subprotocols `bearer, <token>`, or as the first message. A client that sends
no token is anonymous. A later `authenticate` renews a token, or says who it is; it is confirmed once more.
"""


@router.get("/asyncapi.json")
async def show_asyncapi(request: ApiRequest) -> Reply:
    """The document, encoded once."""
    return tagged(request, _encoded(), b"application/json", ALWAYS_ASKED)


@cache
def _encoded() -> bytes:
    return orjson.dumps(document())


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    models: list[type[BaseModel]] = list(dict.fromkeys((*TOLD, *ANSWERED, *HEARD)))
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    codes = "\n".join(f"- `{int(code)}`: {meaning}" for code, meaning in _MEANINGS.items())
    sizes = "- `1009`: a message of more than 64 KiB.\n- `1007`: text that is not UTF-8."
    parameter = {"screening_id": {"description": "A screening, as GET /api/v1/screenings lists them."}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Usher, live", "version": __version__, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws/screenings/{screening_id}",
                "title": "WebSocket",
                "description": f"Why it is closed:\n\n{codes}\n{sizes}",
                "parameters": parameter,
                "messages": _messages(models),
            },
            "stream": {
                "address": f"{BASE}/screenings/{{screening_id}}/live",
                "title": "Server-Sent Events",
                "description": "`id:` is the version. `resync`, `ping` and `token_expiring` are events of that name; "
                "all others are plain messages.",
                "parameters": parameter,
                "messages": _messages(TOLD),
            },
        },
        "operations": {
            "tellSocket": _operation("send", "socket", (*TOLD, *ANSWERED)),
            "hearSocket": _operation("receive", "socket", HEARD),
            "tellStream": _operation("send", "stream", TOLD),
        },
        "components": {
            "messages": {
                model.__name__: {
                    "name": model.__name__,
                    "summary": (model.__doc__ or "").partition("\n")[0],
                    "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
                }
                for model in models
            },
            "schemas": schemas["$defs"],
        },
    }


def _messages(models: Any) -> dict[str, Any]:
    return {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in models}


def _operation(action: str, channel: str, models: Any) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{model.__name__}"} for model in models]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}
