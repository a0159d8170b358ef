"""The rules of the policy: what each finds, and what that means for a run. `docs/policy.md` shows this table; a test compares them."""

from dataclasses import dataclass

from moonmind.runs.findings import Severity

_REFUSE, _ASK, _DRAFT, _WARN = Severity.REFUSE, Severity.ASK, Severity.DRAFT, Severity.WARN


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    severity: Severity
    covers: str
    """What it finds, for people."""
    protects: bool = False
    """It names protected files: a setting or `.moonmind.yml` may make it graver."""


TABLE = (
    Rule("path", _REFUSE, "paths that leave the repository or lead into a git folder, control characters and line separators, names that are not UTF-8"),
    Rule("link", _REFUSE, "links that leave the repository or lead into a git folder"),
    Rule("gitlink", _REFUSE, "submodules added, moved or removed"),
    Rule("gitmodules", _REFUSE, "`.gitmodules`, in every spelling"),
    Rule("tasks_file", _REFUSE, "whatever stands where `tasks.md` belongs"),
    Rule("size", _REFUSE, "files above 10 MiB; changes too large to be shown as a patch"),
    Rule("secret", _REFUSE, "private keys, and tokens in the form of a live one"),
    Rule("ci", _ASK, "CI that runs when it is pushed: GitHub workflows and actions, GitLab, CircleCI, Jenkins, Azure and the like", protects=True),
    Rule("possible_secret", _ASK, "what may be a live secret: a password, a key or a token of no known form, outside of tests, examples and documents"),
    Rule("ci_removed", _DRAFT, "such CI files, deleted", protects=True),
    Rule("owners", _DRAFT, "who has to review, and what is merged by itself: `CODEOWNERS`, `OWNERS`, Mergify and the like", protects=True),
    Rule("bots", _DRAFT, "settings of bots: Dependabot, Renovate, `.github/settings.yml`", protects=True),
    Rule("moonmind", _DRAFT, "`.moonmind.yml`", protects=True),
    Rule("agent_rules", _DRAFT, "what agents are told and may do: `AGENTS.md`, `CLAUDE.md`, `.mcp.json`, `.cursorrules`, `.github/instructions` and the like", protects=True),
    Rule("editor", _DRAFT, "what runs or is read when somebody opens the folder: `.vscode`, `.devcontainer`, `.envrc`, `.idea` and the like", protects=True),
    Rule("hooks", _DRAFT, "git hooks: `.husky`, `.pre-commit-config.yaml`, `lefthook.yml` and the like", protects=True),
    Rule("package_sources", _DRAFT, "where packages and build programs come from: `.npmrc`, `pip.conf`, `.cargo/config.toml`, `gradlew` and the like", protects=True),
    Rule("install_scripts", _DRAFT, "what runs when the package is installed: `setup.py`, `build.rs`, `binding.gyp`; `postinstall`, `prepare` and the like in `package.json` and `composer.json`; a build backend of the repository's own", protects=True),
    Rule("attributes", _DRAFT, "`.gitattributes`, `.lfsconfig`", protects=True),
    Rule("unignored", _DRAFT, "lines of ignore files that are removed, or begin with `!`: what was kept out can be committed", protects=True),
    Rule("spec", _DRAFT, "the feature's own `spec.md` and `plan.md`; `spec.md`, `plan.md` and `tasks.md` of other features", protects=True),
    Rule("protected", _DRAFT, "the files that `policy.protected` of `.moonmind.yml` names", protects=True),
    Rule("deletion", _DRAFT, "many files deleted or emptied that no task asks to delete: 20 or more, or a third of the repository and at least 5"),
    Rule("name", _DRAFT, "new names that Windows, macOS or a reader cannot hold: reserved names, `<>:\"\\|?*`, a dot or a space at the end, names that differ in case or in Unicode form alone, hidden letters, names and paths that are too long"),
    Rule("dependencies", _DRAFT, "installed dependencies and caches: `node_modules`, `.venv`, `site-packages`, `__pycache__` and the like, where the repository had none there"),
    Rule("lfs", _DRAFT, "files that `.gitattributes` give to Git LFS, committed whole; pointers to content that the change cannot bring; pointers where Git LFS is not asked for"),
    Rule("build_output", _WARN, "build output: `dist`, `build`, `target`, `out` and the like, where the repository had none there"),
    Rule("line_endings", _WARN, "files whose line ends all change, where `.gitattributes` ask for none"),
    Rule("commands", _WARN, "commands that people and CI run by name: scripts of `package.json` that are changed, `Makefile`, `justfile` and the like", protects=True),
    Rule("ignore", _WARN, "ignore files with new lines: `.gitignore` and the like", protects=True),
    Rule("executable", _WARN, "files that become executable"),
    Rule("large", _WARN, "changes of more than 300 files or 20,000 lines"),
    Rule("secret_sign", _WARN, "other signs of secrets: placeholders, tests' keys, expired tokens; what stands in tests, examples and documents"),
    Rule("secret_file", _WARN, "new files whose names are those of credentials: `.env`, `id_rsa`"),
    Rule("secret_unread", _WARN, "compressed files that hold more than was looked through for secrets"),
)  # fmt: skip
RULES = {rule.name: rule for rule in TABLE}


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What the operator and the repository ask for."""

    protected: tuple[str, ...] = ()
    """Patterns of further protected files."""
    protected_is: Severity = Severity.DRAFT
    """What a change of protected files is at least; `warn` makes those lighter that would be a draft."""
    by_repository: bool = False
    """The repository says so; its `draft` counts for what is a warning, too, and the operator's does not: it is the default."""


def severity(rule: str, settings: PolicySettings, *, asked_for: bool) -> Severity:
    """Return what a finding of a rule means: a task that asks for just that makes a warning of a draft, and of nothing else."""
    own = RULES[rule].severity
    found = own
    if RULES[rule].protects:
        if own is not Severity.WARN or settings.protected_is is not Severity.DRAFT or settings.by_repository:
            found = Severity.gravest((own, settings.protected_is))
        if own is Severity.DRAFT and settings.protected_is is Severity.WARN:
            found = Severity.WARN
    return Severity.WARN if asked_for and found is Severity.DRAFT else found
