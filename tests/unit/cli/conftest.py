"""An installation of the tests' own, which the commands find by its settings."""

from tests.support.command_line import container, database, installation, moonmind, worker

__all__ = ["container", "database", "installation", "moonmind", "worker"]
