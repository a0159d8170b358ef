"""What an API process runs beside its routes: hints and healing always, and embedded, the engine itself."""

from typing import TYPE_CHECKING

from api_service.information import Information
from moonmind.ports.check import Check
from moonmind.preflight.machine_checks import open_to_agents
from moonmind.redact import Redactor
from moonmind.runtime.container import Container
from moonmind.services.run_service import RunService
from moonmind.settings import Settings

if TYPE_CHECKING:
    from moonmind.workflows.speckit_celery.embedded import EmbeddedWorker


class Runtime:
    """A container with its background parts, started and ended with the application."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._worker: EmbeddedWorker | None = None
        self._information = Information(container.preflight.run)

    @property
    def settings(self) -> Settings:
        """The settings it was built from."""
        return self._container.settings

    @property
    def redactor(self) -> Redactor:
        """Knows the secrets of this process."""
        return self._container.redactor

    @property
    def runs(self) -> RunService:
        """The one service behind every route."""
        return self._container.runs

    def open(self) -> None:
        """Start what runs in the background; raises NotConfigured when another process runs the embedded engine."""
        self._container.check_start()
        self._container.announce_changes()
        if not self.settings.embedded:
            self._container.start_api()
            return
        self._container.own_embedded_engine()
        self._container.enrol()
        # Imported late: an API on RabbitMQ needs no worker's code.
        from moonmind.workflows.speckit_celery.embedded import EmbeddedWorker

        self._worker = EmbeddedWorker(self._container)
        self._worker.start()
        self._container.start_engine()

    def close(self) -> None:
        """End the stages that run, then everything else."""
        if self._worker is not None:
            self._worker.close()
        self._information.close()
        self._container.close()

    def agent_checks(self) -> tuple[Check, ...]:
        """Probe what an agent needs; may take seconds."""
        return self._container.preflight.agent()

    def access_checks(self) -> tuple[Check, ...]:
        """Probe who could call this server and should not; takes no time."""
        return open_to_agents(self._container.agent, has_token=self.settings.api_token is not None)

    def ready(self) -> list[Check]:
        """Probe what taking and moving runs needs; the preflight list as seen from here stands beside it."""
        return [*self._container.ready(), *self._information.checks()]
