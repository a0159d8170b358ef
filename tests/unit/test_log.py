"""One log: same shape, same context and same masking, whoever writes."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from pydantic import SecretStr

from moonmind import log
from moonmind.redact import MASK, Redactor

SECRET = "correct-horse-battery-staple"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Put logging back as it was: pytest's own handlers hang on the root."""
    root = logging.getLogger()
    handlers, level, config = list(root.handlers), root.level, structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in ("uvicorn.access", "sse_starlette", "httpx")}
    yield
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def configured(stream: io.StringIO | None = None, *, log_format: str = "json", log_level: str = "INFO") -> io.StringIO:
    stream = stream if stream is not None else io.StringIO()
    log.configure(log_format, log_level, Redactor([SECRET]), stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_context() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("moonmind.engine").info("attempt.claimed", stage="submit", fence=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "attempt.claimed",
        "level": "info",
        "logger": "moonmind.engine",
        "request_id": "r1",
        "stage": "submit",
        "fence": 3,
    }


@pytest.mark.parametrize("name", ["uvicorn.error", "celery.worker", "sqlalchemy.engine", "anything.else"])
def test_a_librarys_logger_writes_the_same_lines(name: str) -> None:
    foreign = logging.getLogger(name)
    own = io.StringIO()
    if name in {"uvicorn.error", "celery.worker"}:
        foreign.addHandler(logging.StreamHandler(own))
    stream = configured()
    with structlog.contextvars.bound_contextvars(run_id="42"):
        foreign.warning("lost %s after %d tries", "it", 3)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"], line["run_id"]) == (
        "lost it after 3 tries",
        "warning",
        name,
        "42",
    )
    assert own.getvalue() == ""


def test_uvicorns_own_access_lines_are_not_repeated() -> None:
    stream = configured()
    logging.getLogger("uvicorn.access").info("GET / 200")
    assert stream.getvalue() == ""


@dataclass
class Holder:
    token: str


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_secret_is_masked_wherever_it_stands(log_format: str) -> None:
    stream = configured(log_format=log_format)
    logger = structlog.get_logger("moonmind")
    said = f"said {SECRET}"
    logger.warning(said, **{f"key {SECRET}": 1})
    logger.warning("deep", outer={"inner": [{"list": (SECRET,)}, {SECRET}], SECRET: 1})
    logger.warning("others", path=Path("/x") / SECRET, error=ValueError(SECRET), holder=Holder(SECRET))
    logger.warning("bytes", raw=SECRET.encode(), url=f"amqp://me:{SECRET}@host/", hidden=SecretStr(SECRET))
    logger.warning("looks", text="token ghp_" + "a" * 36)
    logging.getLogger("kombu").warning("connected to %s", f"amqp://me:{SECRET}@host/")
    try:
        raise RuntimeError(f"refused {SECRET}")
    except RuntimeError:
        logger.exception("request.crashed")
        logging.getLogger("celery").exception("task failed with %s", SECRET)
    written = stream.getvalue()
    assert written.count(MASK) >= 14
    assert "Traceback" in written
    assert SECRET not in written
    assert "ghp_aaaa" not in written


def test_a_base64_secret_is_masked_too() -> None:
    import base64

    stream = configured()
    structlog.get_logger().info("header", value=base64.b64encode(f"x-access-token:{SECRET}".encode()).decode())
    assert MASK in stream.getvalue()


def test_a_loop_of_values_ends() -> None:
    stream = configured()
    loop: list[Any] = []
    loop.append(loop)
    structlog.get_logger().info("loop", value=loop)
    assert lines(stream)[0]["event"] == "loop"


def test_values_become_text_and_numbers_stay_numbers() -> None:
    stream = configured()
    run_id = UUID("0f4c8d3a-4b55-4c6e-9d6f-1f1f5f1f7b11")
    structlog.get_logger().info("kinds", id=run_id, count=2, ratio=0.5, flag=True, none=None)
    (line,) = lines(stream)
    assert (line["id"], line["count"], line["ratio"], line["flag"], line["none"]) == (str(run_id), 2, 0.5, True, None)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_escape_sequence_reaches_a_terminal(log_format: str) -> None:
    stream = configured(log_format=log_format)
    structlog.get_logger().warning("agent said \x1b[2J\x07", words="\x1b]0;title\x07\x9b31m\r")
    logging.getLogger("any").warning("path %s", "\x1b[31m")
    assert not set(stream.getvalue()) & {"\x1b", "\x07", "\x9b", "\r"}


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("half", ["\udfff", "\udc80 in words", "a pair taken apart: \ud83d \ude00"], ids=ascii)
def test_text_that_no_encoding_can_write_costs_no_line(log_format: str, half: str) -> None:
    stream = configured(log_format=log_format)
    structlog.get_logger().warning("request.refused", message=half, fields={half: [half]})
    assert b"request.refused" in stream.getvalue().encode()


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_the_form_follows_the_setting_and_then_the_terminal(
    log_format: str, stream: type[io.StringIO], is_json: bool
) -> None:
    target = configured(stream(), log_format=log_format)
    structlog.get_logger().info("hello", run=1)
    assert target.getvalue().startswith("{") is is_json
    assert "hello" in target.getvalue()


@pytest.mark.parametrize(("level", "count"), [("DEBUG", 3), ("info", 2), ("ERROR", 0), ("nonsense", 2)])
def test_the_level_counts_for_everybody(level: str, count: int) -> None:
    stream = configured(log_level=level)
    structlog.get_logger().debug("a")
    structlog.get_logger().info("b")
    logging.getLogger("foreign").info("c")
    assert len(lines(stream)) == count


def test_configuring_again_replaces_and_does_not_double() -> None:
    first = configured()
    second = configured()
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1
