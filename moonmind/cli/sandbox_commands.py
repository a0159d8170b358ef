"""The commands `sandbox build` and `sandbox show`: what jobs run in."""

import sys
from pathlib import Path

from moonmind.cli.exits import Exit
from moonmind.cli.printer import Printer
from moonmind.cli.session import connected, connected_to_temporary, missing_database
from moonmind.cli.view_commands import report
from moonmind.errors import SandboxFailed
from moonmind.settings import load_settings


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
        return report([check for check in container.preflight.agent() if check.name.startswith("sandbox")], printer)
