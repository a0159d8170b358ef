"""The application: routes, refusals, and a lifespan around the container."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing, contextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service import error_responses
from api_service.auth import Guard
from api_service.information import Information
from api_service.middleware import BodyLimit, Crashes, Heads, RequestContext, SecurityHeaders
from api_service.peers import OwnerOf, socket_owner
from api_service.routes import PREFIX, artifacts, events, health, runs
from moonmind import __version__, bootstrap
from moonmind.errors import MoonMindError
from moonmind.runtime.container import Container, Role
from moonmind.services.tokens import no_token
from moonmind.settings import Settings, load_settings


def create_app(
    settings: Settings | None = None,
    container: Container | None = None,
    *,
    owner_of: OwnerOf = socket_owner,
    stream_heartbeat_seconds: float = 15,
    open_at: str | None = None,
) -> FastAPI:
    """Build the application.

    A container that is given belongs to the caller, who opens and closes it; without one, the lifespan runs one that it
    builds from the settings, or from the environment. `owner_of` returns whose socket a peer's is, for requests without
    a token. `open_at` is the address at which other machines reach the server: every request needs a token then, and it
    does not start where there is none.
    """
    app = FastAPI(
        title="MoonMind",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the interactive pages load scripts from elsewhere, which the content policy forbids
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, container, open_at),
        separate_input_output_schemas=False,
        # As they are: to include a router builds each of its routes a second time.
        routes=[route for resource in (runs, artifacts, events, health) for route in resource.router.routes],
    )
    app.state.stream_heartbeat_seconds = stream_heartbeat_seconds
    error_responses.install(app)
    # The last one added sees a request first.
    app.add_middleware(Heads)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, owner_of=owner_of, token_required=open_at is not None)
    for middleware in (Crashes, SecurityHeaders, RequestContext, PlainStartup):
        app.add_middleware(middleware)
    return app


def startup_sentence(error: MoonMindError) -> str:
    """Return what a person reads when the application cannot start."""
    return f"MoonMind cannot start: {error.message.rstrip('.')}. {error.advice}"


def _lifespan(
    settings: Settings | None, given: Container | None, open_at: str | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.startup_failure = None
        app.state.streams = set()
        with ExitStack() as running:
            try:
                container = given if given is not None else running.enter_context(_running(settings, open_at))
            except MoonMindError as error:
                app.state.startup_failure = error  # for PlainStartup, and for a caller in this process
                raise
            app.state.container = container
            app.state.information = Information(container.preflight.run)
            running.callback(app.state.information.close)
            yield

    return lifespan


@contextmanager
def _running(settings: Settings | None, open_at: str | None) -> Iterator[Container]:
    """Build the container and run what works beside the routes: embedded, the engine itself."""
    settings = settings if settings is not None else load_settings()
    bootstrap.prepare_process(settings)
    container = bootstrap.build_when_there(settings)
    with closing(container):
        if open_at is not None and settings.api_token is None and not container.tokens.any_valid():
            raise no_token(open_at)
        container.open(Role.SERVER)
        yield container


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
            failure: MoonMindError | None = scope["app"].state.startup_failure
            if message["type"] == "lifespan.startup.failed" and failure is not None:
                message = {**message, "message": startup_sentence(failure)}
            await send(message)

        await self._app(scope, receive, plain)
