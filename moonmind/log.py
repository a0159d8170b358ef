"""One log for structlog and every library's stdlib logger: same context, same redaction, same renderer."""

import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from moonmind.redact import Redactor

_BROUGHT_ALONG = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "celery",
    "celery.task",
    "celery.worker",
    "kombu",
    "amqp",
)
"""Loggers whose libraries may have hung handlers of their own on them."""
_TALKATIVE = {
    "uvicorn.access": logging.CRITICAL,
    "sse_starlette": logging.INFO,
    "httpx": logging.WARNING,
    "alembic": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
}
"""Access lines and what became of a task are ours already; the others repeat themselves below these levels."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))} | {
    code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)
}
"""Agent output and requests reach the log: escape sequences in them must not reach a terminal. Halves of
surrogate pairs, which no encoding can write, would cost the line."""
_DEPTH = 12


def configure(log_format: str, log_level: str, redactor: Redactor, stream: TextIO | None = None) -> None:
    """Route all logging of this process to one stream; safe to call again, the last call wins.

    `log_format` is `auto` (console on a terminal, JSON elsewhere), `console` or `json`; `log_level` is a level's name,
    and unknown names mean INFO.
    """
    target = stream if stream is not None else sys.stderr
    console = log_format == "console" or (log_format == "auto" and target.isatty())
    level = logging.getLevelNamesMapping().get(log_level.upper(), logging.INFO)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=target.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Tracebacks become text here, so that the redaction sees them.
                structlog.processors.format_exc_info,
                Redaction(redactor),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _BROUGHT_ALONG:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(max(level, least))


class Redaction:
    """The last processor before the renderer: masks secrets in every key and value, however deep."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event with nothing in it but masked text, numbers and containers of them."""
        return {self._text(str(key)): self._clean(value, _DEPTH) for key, value in event.items()}

    def _clean(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth == 0:
            return "..."
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._clean(item, depth - 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, depth - 1) for item in value]
        # Anything else would be turned into text by the renderer, after us; so it becomes text here.
        return self._text(value if isinstance(value, str) else str(value))

    def _text(self, value: str) -> str:
        return self._redactor.text(value).translate(_CONTROLS)
