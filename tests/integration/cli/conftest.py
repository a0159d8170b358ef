"""An installation of the tests' own, which the commands find by its settings."""

from tests.support.command_line import checkout, container, database, installation, meanwhile, moonmind, worker

__all__ = ["checkout", "container", "database", "installation", "meanwhile", "moonmind", "worker"]
