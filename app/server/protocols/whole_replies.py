"""A response that is there as a whole is written as a whole, in the place of uvicorn's two messages.

Every header costs uvicorn a look at each of its bytes; here they are looked at together. What is unusual (a connection
that ends, a client that does not read) is left to uvicorn.
"""

from collections.abc import Sequence

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.server.protocols.in_one_piece import InOnePiece

Header = tuple[bytes, bytes]


def write_whole(
    cycle: RequestResponseCycle, transport: InOnePiece, status: int, headers: Sequence[Header], body: bytes
) -> bool:
    """Answer a request. False: nothing was done, send the response message by message.

    The names of the headers are in lower case and our own. Content-Length, if it is one of them, is that of the body.
    """
    flow: FlowControl = cycle.flow
    if cycle.response_started or cycle.disconnected or not cycle.keep_alive or cycle.access_log or flow.write_paused:
        return False
    parts = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        parts += (name, b": ", value, b"\r\n")
    head = b"".join(parts)
    lines = len(cycle.default_headers) + len(headers) + 1
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head or b"\nconnection:" in head:
        return False
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    transport.write_whole(b"%b\r\n%b" % (head, body))
    cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True
