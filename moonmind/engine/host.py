"""This process's identity: a host with a permanent id, a process, and an owner name for each claim."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from moonmind.private import make_folder


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that holds a state folder. The id is random and kept there, since host names repeat in containers."""

    id: UUID
    name: str

    def new_owner(self) -> str:
        """Name the holder of one claim: host, process and a random part."""
        return f"{self.name}:{os.getpid()}:{uuid4().hex[:12]}"


def this_host(state_folder: Path) -> Host:
    """Read the host id from the state folder, writing it there the first time; two processes agree on one."""
    make_folder(state_folder, 0o700)
    place = state_folder / "host-id"
    if not place.exists():
        draft = state_folder / f".host-id-{uuid4().hex}"
        draft.write_text(f"{uuid4()}\n")
        try:
            # A hard link fails where a rename would replace: the first writer wins, and the file is whole.
            place.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return Host(UUID(place.read_text().strip()), socket.gethostname())
