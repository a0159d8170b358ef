"""Puts the command of a supervised job behind a sandbox's wall."""

import os
from collections.abc import Iterable
from dataclasses import replace

from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.supervisor.link import ENTRY, PORT
from moonmind.adapters.supervisor.order import Order
from moonmind.adapters.trees import give_to
from moonmind.ports.sandbox import LINK, PYTHON, WORKSPACE, BoxedCommand, Mount, Sandbox


def behind(
    wall: Sandbox, order: Order, jobs: Jobs, key: str, mounts: Iterable[Mount], *, cwd: str = WORKSPACE
) -> Order:
    """Return the order with its command behind the wall; its environment is the one there. Raises SandboxFailed."""
    link = jobs.folder(key).link
    link.mkdir(exist_ok=True, mode=0o711)
    seen = (*mounts, Mount(link, LINK))
    if os.geteuid() == 0:  # nobody else can give; what is there may be of a wall of another kind
        for mount in seen:
            if mount.writable and mount.upper is None:
                give_to(mount.source, *(wall.user or (os.geteuid(), os.getegid())))
    command = (PYTHON, "-I", "-S", f"{LINK}/{ENTRY}", LINK, str(PORT), *order.argv)
    wrapped = wall.wrap(BoxedCommand(jobs.mark(key), command, order.environment, seen, cwd))
    return replace(order, argv=wrapped.argv, environment=wrapped.environment, walled=True)
