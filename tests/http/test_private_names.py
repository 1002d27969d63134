"""What the runner and the server read of FastAPI, Starlette and uvicorn under names that these do not promise to keep.

For whoever upgrades one of them: raise its upper bound in pyproject.toml, run `make test ARGS=tests/http`, and mend the
places that a failing line names. Without the lean runner (USHER_PLAIN=on) those under app/http are not needed.
"""

import ast
import inspect
from pathlib import Path
from typing import Any

import fastapi.datastructures
import fastapi.dependencies.models
import fastapi.exception_handlers
import fastapi.middleware.asyncexitstack
import fastapi.routing
import fastapi.utils
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from uvicorn import Config, Server
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

ROOT = Path(__file__).parents[2]

IN_MODULES: dict[Any, str] = {
    fastapi.routing: "RouteContext iter_route_contexts serialize_response",
    fastapi.datastructures: "DefaultPlaceholder",
    fastapi.dependencies.models: "Dependant",
    fastapi.exception_handlers: "http_exception_handler request_validation_exception_handler",
    fastapi.middleware.asyncexitstack: "AsyncExitStackMiddleware",
    fastapi.utils: "is_body_allowed_for_status_code",
}
OF_A_ROUTE = (
    "original_route path path_format methods endpoint dependant param_convertors body_field status_code response_field "
    "response_class response_model_include response_model_exclude response_model_by_alias response_model_exclude_unset "
    "response_model_exclude_defaults response_model_exclude_none strict_content_type max_body_size tags summary "
    "include_in_schema _embed_body_fields"
)
OF_A_DEPENDANT = (
    "call name dependencies path_params query_params header_params cookie_params body_params use_cache concurrency "
    "request_param_name http_connection_param_name response_param_name background_tasks_param_name "
    "security_scopes_param_name own_oauth_scopes"
)
OF_A_FIELD = "name alias validation_alias field_info get_default _type_adapter"
OF_HTTP = (
    "connection_made connection_lost data_received on_message_begin on_headers_complete on_message_complete shutdown "
    "handle_websocket_upgrade send_400_response scope url headers transport loop app_state"
)
OF_A_CYCLE = (
    "response_started response_complete disconnected keep_alive access_log default_headers waiting_for_100_continue "
    "message_event on_response flow body more_body"
)
OF_SOCKETS = (
    "connection_made connection_lost data_received shutdown handle_connect handle_cont handle_ping schedule_ping "
    "handle_parser_exception send_receive_event_to_app send_keepalive_ping stop_keepalive conn queue transport loop "
    "frames close_sent disconnected curr_msg_data_type read_paused ping_interval ping_timer close_timer app_state "
    "logger"
)
OF_A_SUPERVISOR = "init_processes handle_signals processes should_exit"


def lacking(owner: Any, names: str) -> list[str]:
    """Those of the names that the owner does not have, in a message for whoever upgrades."""
    written = inspect.getsource(owner) if inspect.isclass(owner) else ""
    there = set(dir(owner)) | set(getattr(owner, "__slots__", ()))
    return [name for name in names.split() if name not in there and f"self.{name}" not in written]


@pytest.mark.parametrize("module", IN_MODULES, ids=lambda module: module.__name__)
def test_what_is_imported_is_there(module: Any) -> None:
    missing = lacking(module, IN_MODULES[module])
    assert not missing, f"{module.__name__} has no {missing} any more: see app/http/runner/ and app/main.py"


def test_what_is_read_of_a_route_is_there() -> None:
    router = APIRouter()

    @router.get("/seats/{seat_id}")
    async def show(seat_id: int, section: str = "") -> dict[str, int]:
        return {"seat_id": seat_id}

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    [route] = [each for each in iter_route_contexts(app.routes) if isinstance(each.original_route, APIRoute)]
    [field] = route.dependant.path_params

    absent = [name for name in OF_A_ROUTE.split() if not hasattr(route, name)]
    assert not absent, f"FastAPI's routes have no {absent} any more: see app/http/runner/"
    absent = [name for name in OF_A_DEPENDANT.split() if not hasattr(route.dependant, name)]
    assert not absent, f"FastAPI's dependants have no {absent} any more: see app/http/runner/"
    absent = [name for name in OF_A_FIELD.split() if not hasattr(field, name)]
    assert not absent, f"FastAPI's fields have no {absent} any more: see app/http/runner/operations.py"
    assert field.field_info.in_.value == "path"
    assert field._type_adapter.validator.validate_python("7") == 7
    assert hasattr(app._native_telemetry, "enabled"), "FastAPI asks for telemetry in another way: see app/main.py"


@pytest.mark.parametrize(
    ("owner", "names", "see"),
    [
        (HttpToolsProtocol, OF_HTTP, "app/server/protocols/http_protocol.py"),
        (RequestResponseCycle, OF_A_CYCLE, "app/server/protocols/whole_replies.py"),
        (httptools_impl, "STATUS_LINE", "app/server/protocols/whole_replies.py"),
        (WebSocketsSansIOProtocol, OF_SOCKETS, "app/server/protocols/websocket_protocol.py"),
        (Multiprocess, OF_A_SUPERVISOR, "app/server/serving.py"),
        (Process, "wait_until_ready exitcode", "app/server/serving.py"),
        (Server, "startup started", "app/server/serving.py"),
    ],
    ids=lambda value: value.__name__ if inspect.isclass(value) else "",
)
def test_what_is_used_of_uvicorn_is_there(owner: Any, names: str, see: str) -> None:
    missing = lacking(owner, names)
    assert not missing, f"uvicorn's {owner.__name__} has no {missing} any more: see {see}"


def test_uvicorn_takes_what_it_is_told() -> None:
    assert {"http", "ws", "ws_max_size", "ws_ping_interval", "factory"} <= set(inspect.signature(Config).parameters)


def test_no_other_private_name_of_somebody_elses_is_read() -> None:
    """Every `thing._name` in app/http, app/server and app/main.py, where the thing is not ours, is listed above."""
    known = {"_embed_body_fields", "_type_adapter", "_native_telemetry"}
    files = [*(ROOT / "app/http").rglob("*.py"), *(ROOT / "app/server").glob("*.py"), ROOT / "app/main.py"]
    found: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                is_ours = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                if not is_ours or node.attr in known:
                    found.add(node.attr)

    assert found == known
