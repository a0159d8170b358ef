"""Which files of a commit configure an agent and can name programs; runs do not load them, and people should know them."""

from collections.abc import Iterable

from moonmind.proof.policy.plain_names import plain_name

_FOLDERS = frozenset({".codex", ".agents", ".codex-plugin", ".claude-plugin"})
_FILES = frozenset({".mcp.json"})
# How FAT and NTFS shorten the names above.
_SHORT = ("codex~", "agents~", "codex-~", "claude~", "mcp~")
_AGENT_WORDS = ("codex", "agents", "claude", "mcp")
"""One of these is in every name that counts; most paths of a large tree are done with after a look for them."""
_TEXT = (".md", ".txt")
"""Prompts, skills and rules for reading: words, which name no program by themselves."""
_SHOWN = 5


def configures_an_agent(path: str) -> bool:
    """Return True if an agent that trusts the repository could start a program because of this file.

    At any depth, and in every spelling that a file system which ignores case or hidden marks takes for the same name.
    """
    if not any(word in path.casefold() for word in _AGENT_WORDS) and path.isascii():
        return False
    *folders, name = (plain_name(part) for part in path.split("/"))
    # The folder's name as a file: a link to the folder of another name.
    if name in _FILES or name in _FOLDERS or name.startswith(_SHORT):
        return True
    return any(one in _FOLDERS or one.startswith(_SHORT) for one in folders) and not name.endswith(_TEXT)


def warnings(listing: Iterable[str]) -> tuple[str, ...]:
    """Return at most one sentence that names such files of a commit, the first few by name."""
    found = sorted(path for path in listing if configures_an_agent(path))
    if not found:
        return ()
    shown = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
    words = (
        f"The repository configures agents, and such files can name programs: {shown}. "
        "MoonMind's Codex loads none of them; read them before you trust the folder to an agent of your own."
    )
    return (words,)
