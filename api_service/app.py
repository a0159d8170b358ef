"""Put the HTTP face together: routes, refusals, and a lifespan around the container."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service import problems
from api_service.auth import Guard
from api_service.backend import Container
from api_service.middleware import BodyLimit, Crashes, Heads, RequestContext, SecurityHeaders
from api_service.peers import OwnerOf, socket_owner
from api_service.routes import artifacts, events, health, runs
from moonmind import __version__
from moonmind.errors import MoonMindError
from moonmind.settings import Settings

PREFIX = "/api/workflows/speckit"


def create_app(
    settings: Settings | None = None, container: Container | None = None, *, owner_of: OwnerOf = socket_owner
) -> FastAPI:
    """Build the application; without a container, the lifespan wires one from the settings (or the environment).

    `owner_of` tells whose socket a peer's is, for a server without a token.
    """
    app = FastAPI(
        title="MoonMind",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the interactive pages load scripts from elsewhere, which the content policy forbids
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, container),
        separate_input_output_schemas=False,
    )
    for resource in (runs, artifacts, events):
        app.include_router(resource.router, prefix=PREFIX)
    app.include_router(health.router)
    problems.install(app)
    # The last one added sees a request first.
    app.add_middleware(Heads)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, owner_of=owner_of)
    for middleware in (Crashes, SecurityHeaders, RequestContext, PlainStartup):
        app.add_middleware(middleware)
    return app


def startup_sentence(error: MoonMindError) -> str:
    """Return what a person reads when the application cannot start."""
    return f"MoonMind cannot start: {error.message.rstrip('.')}. {error.advice}"


def _lifespan(
    settings: Settings | None, given: Container | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.startup_error = None
        app.state.startup_failure = None
        app.state.streams = set()
        try:
            container = given if given is not None else _wire(settings)
            app.state.container = container
            container.open()
        except MoonMindError as error:
            app.state.startup_failure = error  # for a caller in this process, who says it in its own way
            app.state.startup_error = startup_sentence(error)
            raise
        try:
            yield
        finally:
            container.close()

    return lifespan


def _wire(settings: Settings | None) -> Container:
    # Imported late: `create_app` with a given container needs neither Celery nor a database.
    from api_service.runtime import Runtime
    from moonmind.settings import load_settings

    settings = settings if settings is not None else load_settings()
    from moonmind import bootstrap

    bootstrap.prepare_process(settings)
    return Runtime(bootstrap.build_when_there(settings))


class PlainStartup:
    """Reports to the server in one sentence why the application cannot start, where the framework would send a trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap the lifespan; requests pass."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def plain(message: Message) -> None:
            sentence = scope["app"].state.startup_error
            if message["type"] == "lifespan.startup.failed" and sentence:
                message = {**message, "message": sentence}
            await send(message)

        await self._app(scope, receive, plain)
