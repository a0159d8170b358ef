"""The program that git asks for the password: it answers for one origin, and holds nothing itself.

The token is in the environment of that one git command: never in an argument, a file, an address or a configuration.
Git asks in English, since its locale is ours; any other question gets no answer.
"""

from pathlib import Path

from moonmind.adapters.files import replace_file

USER = "x-access-token"
"""What GitHub wants for a user where the password is a token."""

_PROGRAM = f"""#!/bin/sh
case "$1" in
  "Username for '$MOONMIND_ASKPASS_SCHEME://$MOONMIND_ASKPASS_HOST': ")
    printf '%s\\n' {USER} ;;
  "Password for '$MOONMIND_ASKPASS_SCHEME://{USER}@$MOONMIND_ASKPASS_HOST': ")
    printf '%s\\n' "$MOONMIND_ASKPASS_TOKEN" ;;
  *) exit 1 ;;
esac
""".encode()


class Askpass:
    """Keeps the program in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "askpass"

    def environment(self, scheme: str, host: str, token: str) -> dict[str, str]:
        """Return the environment that lets git authenticate with the token at that origin, and nowhere else."""
        self._ensure()
        return {
            "GIT_ASKPASS": str(self._place),
            "MOONMIND_ASKPASS_SCHEME": scheme,
            "MOONMIND_ASKPASS_HOST": host,
            "MOONMIND_ASKPASS_TOKEN": token,
        }

    def _ensure(self) -> None:
        try:
            if self._place.read_bytes() == _PROGRAM and self._place.stat().st_mode & 0o777 == 0o700:
                return
        except FileNotFoundError:
            pass
        self._place.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._place, _PROGRAM, mode=0o700)
