"""The check of how agents' processes are contained."""

from moonmind.adapters.supervisor.containment import PROMISES, Kind, kind_here
from moonmind.adapters.supervisor.kernel import sees_processes
from moonmind.ports.check import Check, CheckStatus


def processes() -> tuple[Check, ...]:
    """Probe how agents' processes are contained on this host, and so how certain it is that all of them end."""
    try:
        kind = kind_here()
    except OSError as error:
        return (
            Check("processes", CheckStatus.UNKNOWN, f"cannot determine how agents' processes are contained: {error}"),
        )
    if kind is not Kind.TRACES:
        return (Check("processes", CheckStatus.PASSED, PROMISES[kind], facts={"containment": kind.value}),)
    if not sees_processes():
        return (
            Check(
                "processes",
                CheckStatus.UNKNOWN,
                "/proc is not mounted: processes that an agent leaves running in sessions of their own are not found",
                "Mount it: `mount -t proc proc /proc`.",
                {"containment": kind.value},
            ),
        )
    return (
        Check(
            "processes",
            CheckStatus.UNKNOWN,
            PROMISES[kind],
            "Allow this user to create namespaces (`unshare -Urpf true` tests it), or run MoonMind in a control group of "
            "its own: `systemd-run --user -p Delegate=yes`.",
            {"containment": kind.value},
        ),
    )
