"""Which sandbox an installation keeps to, once `auto` has found one."""

from moonmind.db.unit_of_work import Database


class SandboxPin:
    """The kind that is kept in the installation's row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> str | None:
        """Return the kind that is kept; None before one was found."""
        with self._database.read() as uow:
            return uow.hosts.sandbox()

    def keep(self, kind: str) -> str:
        """Keep a kind unless another process has kept one; return what is kept."""
        with self._database.write() as uow:
            return uow.hosts.keep_sandbox(kind)

    def forget(self) -> None:
        """Have whoever asks next choose again."""
        with self._database.write() as uow:
            uow.hosts.forget_sandbox()
