"""Where people and their tools keep credentials on a machine: files that no command of an agent has a use for."""

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

_IN_HOME = (
    ".ssh", ".netrc", "_netrc", ".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub",
    ".config/glab-cli", ".aws", ".config/gcloud", ".boto", ".azure", ".oci", ".config/doctl",
    ".config/hcloud", ".config/scw", ".config/rclone", ".s3cfg", ".docker/config.json", ".config/containers/auth.json",
    ".kube", ".config/helm/registry", ".npmrc", ".yarnrc.yml", ".config/configstore", ".pypirc", ".config/pip/pip.conf",
    ".pip/pip.conf", ".config/pypoetry/auth.toml", ".gem/credentials", ".bundle/config", ".composer/auth.json",
    ".config/composer/auth.json", ".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties",
    ".nuget/NuGet/NuGet.Config", ".gnupg", ".cargo/credentials*", ".terraform.d/credentials.tfrc.json", ".terraformrc",
    ".vault-token", ".pgpass", ".my.cnf", ".mylogin.cnf", ".local/share/keyrings", ".local/share/kwalletd",
    ".password-store", ".config/op", ".config/sops", ".config/age", ".claude/.credentials.json", ".claude.json",
    ".gemini/oauth_creds.json", ".config/github-copilot", ".codex/auth.json", ".huggingface/token",
    ".cache/huggingface/token", ".kaggle/kaggle.json", ".mozilla/firefox", ".config/google-chrome", ".config/chromium",
    ".*_history", ".zhistory", ".local/share/fish/fish_history",
)  # fmt: skip
"""Below each home; the last part may be a pattern."""
_OF_THE_SYSTEM = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/krb5.keytab",
    "/etc/ssl/private",
)


def account_home() -> Path:
    """Return the home that this process's user has by its account; the root folder where it has none."""
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return Path("/")


def credential_files(homes: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files and folders of these homes and of the system, where they really lie.

    Those that are not there yet are listed too, patterns excepted: a user may log in while an agent works.
    """
    found: set[Path] = set()
    for home in homes:
        for name in _IN_HOME:
            folder, _, last = name.rpartition("/")
            place = home / folder
            try:
                found.update(path.resolve() for path in (place.glob(last) if "*" in last else [place / last]))
            except (OSError, RuntimeError):
                continue  # not ours to read, and so not the agent's either; or a link that leads to itself
    found.update(Path(name).resolve() for name in _OF_THE_SYSTEM)
    return tuple(sorted(found - {Path("/")}))
