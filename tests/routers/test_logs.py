"""Every log line says in which request it was written."""

import json
import logging
import sys

import pytest

from app.logs import JsonLines, TextLines, request_id_of_this_task


@pytest.fixture
def record() -> logging.LogRecord:
    """A line about something that went wrong, in a request."""
    try:
        raise ValueError("inside")
    except ValueError:
        request_id_of_this_task.set("find-me")
        return logging.LogRecord("app.somewhere", logging.ERROR, "", 1, "went %s", ("wrong",), sys.exc_info())


def test_a_text_line_has_the_request_id(record: logging.LogRecord) -> None:
    first, *traceback = TextLines().format(record).splitlines()

    assert first.endswith("Z error app.somewhere [find-me] went wrong")
    assert traceback[-1] == "ValueError: inside"


def test_a_json_line_is_one_line_with_its_traceback(record: logging.LogRecord) -> None:
    [line] = JsonLines().format(record).splitlines()

    said = json.loads(line)
    assert (said["level"], said["request_id"], said["message"]) == ("error", "find-me", "went wrong")
    assert said["traceback"].endswith("ValueError: inside")


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_a_line_of_a_batch_has_the_id_of_the_request_that_it_is_about(
    record: logging.LogRecord, formatter: logging.Formatter
) -> None:
    record.request_id = "the one in the batch"

    assert "the one in the batch" in formatter.format(record)
