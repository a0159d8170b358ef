"""What goes on beside a campaign: threads that can be closed, and whose errors are raised instead of lost."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Background(ABC):
    """A thread for as long as a `with` block lasts; what broke it is raised at the block's end."""

    def __init__(self, name: str) -> None:
        self.closing = threading.Event()
        """Set when the work is to end; the work waits on it instead of sleeping."""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)

    @abstractmethod
    def work(self) -> None:
        """Do it, until it is done or `closing` is set."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            # Interrupted: whoever waits for a fault to be over is killed before anything is cleaned up.
            self.closing.set()

    def close(self) -> None:
        """Ask for the end, wait for it, and raise what went wrong."""
        self.closing.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def over(self) -> bool:
        """Return True if the work has ended, well or not."""
        return not self._thread.is_alive()

    @property
    def broken(self) -> bool:
        """Return True if an error ended the work."""
        return self._error is not None

    def _go(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001 - raised by `close`, in the thread that asks
            self._error = error
