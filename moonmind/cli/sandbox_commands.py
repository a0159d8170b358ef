"""The commands `sandbox build` and `sandbox show`: what jobs run in."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from moonmind.cli import consoles
from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.session import connected, connected_to_temporary, missing_database
from moonmind.cli.view_commands import report
from moonmind.errors import SandboxFailed
from moonmind.ports.check import Check
from moonmind.ports.sandbox import CHECK, SandboxKind
from moonmind.settings import Settings, load_settings

_WALLS = (SandboxKind.DOCKER.value, SandboxKind.BUBBLEWRAP.value)


def build(*, tag: str, file: Path | None, base: str | None, printer: Printer) -> int:
    """Build an image for job containers, try it, and print the settings that use it. Raises SandboxFailed."""
    from moonmind import bootstrap

    image = bootstrap.build_sandbox_image(tag=tag, file=file, base=base, log=sys.stderr.fileno())
    settings = load_settings(MOONMIND_SANDBOX="docker", MOONMIND_SANDBOX_IMAGE=image)
    checks = bootstrap.image_checks(settings)
    for check in checks:
        if check.failed:
            raise SandboxFailed(f"{tag} was built, and cannot be used: {check.message}", remediation=check.remediation)
    lines = ["MOONMIND_SANDBOX=docker", f"MOONMIND_SANDBOX_IMAGE={image}"]

    def say(_: object) -> None:
        print("\n".join(lines))
        print(f"\nBuilt {tag}. Put these lines into .env, and restart what runs.", file=sys.stderr)

    printer.answer({"image": image, "tag": tag, "settings": lines}, say)
    return Exit.FINE


def show(printer: Printer) -> int:
    """Print what jobs run in, with its checks, and return 0 only if none failed."""
    return _report(printer, forget=False)


def reset(printer: Printer) -> int:
    """Have `auto` choose again, and print what it chose."""
    return _report(printer, forget=True)


def _report(printer: Printer, *, forget: bool) -> int:
    here = missing_database(load_settings()) is None
    with connected() if here else connected_to_temporary(None) as container:
        if forget:
            container.sandbox_pin.forget()
        with trying(container.settings, container.sandbox_pin.read()):
            checks = [check for check in container.preflight.agent() if check.name.startswith(CHECK)]
        return report(checks, printer, kind=_kind(checks))


@contextmanager
def trying(settings: Settings, kept: str | None) -> Iterator[None]:
    """Tell a person at a terminal which wall is tried meanwhile: the first time takes seconds. Programs hear nothing."""
    kind = settings.sandbox if settings.sandbox != "auto" else kept
    if kind is None:
        kind = (
            SandboxKind.DOCKER.value
            if settings.sandbox_image or settings.sandbox_images
            else SandboxKind.BUBBLEWRAP.value
        )
    console = consoles.err()
    if kind not in _WALLS or not console.is_terminal:
        yield
        return
    spinner = "line" if console.options.ascii_only else "dots"
    with console.status(f"Trying to get out of {kind}; the first time takes up to half a minute", spinner=spinner):
        yield


def _kind(checks: Sequence[Check]) -> str | None:
    return next((check.facts[CHECK] for check in checks if CHECK in check.facts), None)
