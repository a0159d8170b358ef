"""Files that decide what runs by itself, who reviews, and what agents are told: protected by default."""

import fnmatch
import re
from collections.abc import Iterator

from moonmind.proof.policy.plain_names import plain_name

# `name` stands for a file of that name in any folder, `/name` for one at the top; `name/` for all that is in such a folder.
_FILES: dict[str, str] = {
    "ci": """
        /.github/workflows/ /.github/actions/ action.yml action.yaml /.gitea/workflows/ /.gitea/actions/ /.forgejo/workflows/ /.forgejo/actions/
        .gitlab-ci.yml .gitlab-ci.yaml *.gitlab-ci.yml *.gitlab-ci.yaml /.gitlab/ci/ /.gitlab/*.yml /.gitlab/*.yaml
        /.circleci/ /.buildkite/ /.travis.yml /.travis.yaml azure-pipelines*.yml azure-pipelines*.yaml /.azure-pipelines/
        /.azuredevops/ /.azure/pipelines/ /.pipelines/ /.vsts-ci.yml bitbucket-pipelines.yml bitbucket-pipelines.yaml
        Jenkinsfile Jenkinsfile.* *.jenkinsfile /.jenkins/ /.drone.yml /.drone.yaml /.drone.star /.drone.jsonnet
        /.woodpecker/ /.woodpecker.yml /.woodpecker.yaml /.cirrus.yml /.cirrus.yaml /.cirrus.star appveyor.yml
        .appveyor.yml appveyor.yaml .appveyor.yaml /.tekton/ /.semaphore/ /.harness/ /.teamcity/ /.concourse/
        cloudbuild.yaml cloudbuild.yml cloudbuild.json buildspec.yml buildspec.yaml codefresh.yml /.codefresh/
        codemagic.yaml bitrise.yml /wercker.yml /.screwdriver.yaml /screwdriver.yaml /shippable.yml /.builds/ /.build.yml
        /.scrutinizer.yml /.zuul.yaml /.zuul.yml /zuul.yaml /.zuul.d/ /zuul.d/ /.prow.yaml /.prow/ /.buddy/ /buddy.yml
        /.readthedocs.yml /.readthedocs.yaml netlify.toml vercel.json now.json render.yaml amplify.yml /.do/app.yaml
        /.platform.app.yaml /.onedev-buildspec.yml /.space.kts /.gocd.yaml *.gocd.yaml /.taskcluster.yml /.evergreen.yml
    """,
    "owners": """
        /CODEOWNERS /.github/CODEOWNERS /.gitlab/CODEOWNERS /docs/CODEOWNERS OWNERS OWNERS_ALIASES
        /.mergify.yml /.mergify/ /.github/mergify.yml /.kodiak.toml /.github/.kodiak.toml /bors.toml /.github/bors.toml
        /.pullapprove.yml /.policy.yml /.bulldozer.yml /.github/auto_assign.yml /.github/auto-merge.yml /.gitlab/approvals/
        /.github/merge-queue.yml /.graphite.yml /.aviator/ /.reviewpad.yml /reviewpad.yml /.prowrc
    """,
    "bots": """
        /.github/dependabot.yml /.github/dependabot.yaml /.dependabot/ renovate.json renovate.json5 .renovaterc
        .renovaterc.json .renovaterc.json5 /.github/renovate.json /.github/renovate.json5 /.gitlab/renovate.json
        /.github/settings.yml /.github/settings.yaml /.github/probot.yml
        /.pyup.yml /.snyk /.whitesource /.probot/
        /.github/safe-settings/ /.asf.yaml /.gitguardian.yml /.gitguardian.yaml /.gitleaks.toml /gitleaks.toml
        /.gitleaksignore /.betterleaks.toml /.betterleaksignore /.secrets.baseline
    """,
    "moonmind": "/.moonmind.yml /.moonmind.yaml",
    "agent_rules": """
        AGENTS.md AGENTS.override.md AGENT.md CLAUDE.md CLAUDE.local.md GEMINI.md QWEN.md CRUSH.md WARP.md CODEX.md
        COPILOT.md JULES.md REPLIT.md replit.md .replit.md
        .mcp.json mcp.json .mcp.yaml .mcp.yml .mcp/ mcp_config.json .cursorrules .cursor/ .cursorignore .cursorindexingignore
        .windsurfrules .windsurf/ .codeiumignore .codeium/ .clinerules .clinerules/ .clineignore .cline/ .roorules .roorules-*
        .roomodes .rooignore .roo/ .goosehints .gooseignore .goose/ .rules .rules/ .junie/ .aiassistant/ .aiignore
        .aider.conf.yml .aider.model.settings.yml .aiderignore .aider* .claude/ .claude.json .claudeignore .codex/
        .gemini/ .geminiignore .aiexclude .qwen/ .agents/ .agent/ .ai/ .specify/ .kilocode/ .kilocodemodes .kilocodeignore
        .amazonq/ .amazon-q/ .q/ .kiro/ .continue/ .continuerc.json .continueignore .continuerules .opencode/ opencode.json
        opencode.jsonc .augment/ .augment-guidelines .augmentignore .trae/ .factory/ .droid/ .crush.json crush.json .crush/
        .crushignore .zencoder/ .tabnine/ .tabnineignore .tabnine.root .cody/ .cody.json .codyignore .sourcegraph/ .devin/
        .openhands/ .openhands_instructions .codebuddy/ .lingma/ .rovodev/ .ruler/ .amp/ .ampcode/ .void/ .pearai/
        .firebender/ firebender.json .plandex/ .sweep/ sweep.yaml .coderabbit.yml .coderabbit.yaml coderabbit.yaml
        greptile.json .greptile/ .cubic/ .ellipsis.yml ellipsis.yaml .pr_agent.toml .korbit* .qodo/ .codium/ .copilot/
        .copilotignore /.github/copilot-* /.github/copilot/ /.github/instructions/ /.github/prompts/ /.github/chatmodes/
        /.github/agents/ /.github/skills/ /.github/hooks/ /.github/mcp.json *.instructions.md *.prompt.md *.chatmode.md
        *.agent.md SKILL.md .skills/ .windsurf.json .supermaven* .jules/ .antigravity/ .hermes/ .warp/ .codegpt/ .llm/ .llms/
    """,
    "editor": """
        .vscode/ .vscode-server/ *.code-workspace .idea/ *.iml .fleet/ .zed/ .nova/ .vs/ .theia/ .settings/ .devcontainer/
        .devcontainer.json devcontainer.json .envrc .envrc.* .autoenv .autoenv.zsh .env.zsh .gitpod.yml .gitpod.Dockerfile
        .gitpod/ .ona/ .idx/ .replit replit.nix .codesandbox/ .stackblitzrc .codespaces/ .exrc .vimrc .nvimrc .nvim.lua
        .lvimrc .local.vimrc .vim/ .dir-locals.el .dir-locals-2.el .projectile *.sublime-project
        *.sublime-workspace *.sublime-build .kateproject .helix/ .lapce/ .atom/ .brackets.json .neoconf.json
        .mise.toml mise.toml .mise.local.toml mise.local.toml .mise/ .rtx.toml .tool-versions .asdfrc .proto/ .prototools
        flake.nix shell.nix default.nix devenv.nix devenv.yaml devbox.json .envrc.nix .nix/ .flox/ .tmuxinator.yml
        .tmuxinator/ .tmux.conf .gdbinit .lldbinit .pdbrc .pdbrc.py .irbrc .pryrc .byebugrc .bashrc .bash_profile .profile
        .zshrc .zshenv .zprofile .login .inputrc .screenrc .pythonstartup.py .Rprofile .Renviron .sqliterc .psqlrc .myclirc
        .wgetrc .curlrc .nodemon.json .lando.yml .ddev/ .tilt/ Tiltfile .xonshrc .octaverc .ipython/ .jupyter/ .ghci .ocamlinit
    """,
    "hooks": """
        .husky/ .huskyrc .huskyrc.* .githooks/ .git-hooks/ githooks/ git-hooks/ .hooks/ .pre-commit-config.yaml
        .pre-commit-config.yml .pre-commit-hooks.yaml lefthook.yml lefthook.yaml .lefthook.yml .lefthook.yaml lefthook.toml
        lefthook.json .lefthook.toml .lefthook.json lefthook-local.yml .lefthook-local.yml .lefthook/ .overcommit.yml
        captainhook.json grumphp.yml grumphp.yaml .lintstagedrc .lintstagedrc.* lint-staged.config.* .simple-git-hooks.*
        simple-git-hooks.* .hooksrc prek.toml .trunk/ .cargo-husky/ .yorkie/ .ghooks.js .pre-commit .pre-push pre-commit pre-push
        post-checkout post-merge post-commit prepare-commit-msg commit-msg post-rewrite
    """,
    "package_sources": """
        .npmrc .yarnrc .yarnrc.yml .yarn/releases/ .yarn/plugins/ .yarn/sdks/ .pnpmfile.cjs .pnpmfile.js .pnpmfile.mjs
        .pnp.cjs .pnp.js .pnp.loader.mjs bunfig.toml .bunfig.toml pip.conf pip.ini .pip/ .pypirc uv.toml .condarc
        .cargo/config .cargo/config.toml .bundle/config .gemrc nuget.config
        .nuget/ .mvn/ mvnw mvnw.cmd gradlew gradlew.bat gradle/wrapper/ init.gradle init.gradle.kts
        .bazelrc .bazeliskrc
        Directory.Build.props Directory.Build.targets Directory.Build.rsp vcpkg-configuration.json .conan/ .swiftpm/
        .terraformrc terraform.rc
    """,
    "install_scripts": """
        setup.py build.rs binding.gyp extconf.rb hatch_build.py pdm_build.py build_backend.py _build_backend.py conanfile.py
        sitecustomize.py usercustomize.py Makefile.PL Build.PL install.sh postinstall.sh
        postinstall.js postinstall.cjs postinstall.mjs preinstall.js preinstall.cjs preinstall.mjs postinst preinst prerm
        postrm .install.sh build.zig
    """,
    "attributes": ".gitattributes .lfsconfig",
    "commands": """
        Makefile GNUmakefile justfile .justfile Taskfile.yml Taskfile.yaml Rakefile noxfile.py
        gulpfile.js gulpfile.mjs gulpfile.ts Gruntfile.js magefile.go Procfile Procfile.* *.mk
    """,
}  # fmt: skip
_WORDS: dict[str, str] = {
    "ci": "it runs in CI as soon as it is pushed",
    "ci_removed": "it is removed, and ran in CI",
    "owners": "it changes who has to review, or what is merged by itself",
    "bots": "it changes what bots and scanners do here",
    "moonmind": "it changes how MoonMind sets up, tests and judges changes here, once it is merged",
    "agent_rules": "it changes what agents are told or may do here",
    "editor": "it changes what runs or is read when somebody opens this folder",
    "hooks": "it changes what runs on developers' machines at commits and pushes",
    "package_sources": "it changes where packages or build programs come from",
    "install_scripts": "it runs when the package is installed or built",
    "attributes": "it changes how git treats files",
    "commands": "it changes commands that people and CI run by name",
}
IGNORE_FILES = re.compile(
    r"(?:.+/)?\.(?:git|docker|npm|vercel|eslint|prettier|hg|gcloud|helm|stylelint|slug|cf|eb|vscode|now|secrets?)ignore",
    re.IGNORECASE,
)
_SPEC_FILES = re.compile(
    r"(?:.+/)?specs/.+/(?:spec|plan|tasks)\.md|(?:.+/)?specs/[^/]+/(?:spec|plan|tasks)\.md", re.IGNORECASE
)
_DEEPEST = 3
"""Folders that an entry from the top has at most, with its name."""
_OWN_FILES = frozenset({"spec.md", "plan.md"})


_RANK = {rule: rank for rank, rule in enumerate(_FILES)}


def _read_table() -> tuple[dict[str, str], tuple[tuple[str, re.Pattern[str]], ...]]:
    """Return the rules by key, and those of names that hold a `*`."""
    keys: dict[str, str] = {}
    patterns: list[tuple[str, re.Pattern[str]]] = []
    for rule, words in _FILES.items():
        stars = []
        for word in words.casefold().split():
            if "*" in word:
                stars.append(word)
            else:
                keys.setdefault(word, rule)
        if stars:
            patterns.append((rule, re.compile("|".join(fnmatch.translate(word) for word in stars))))
    return keys, tuple(patterns)


_KEYS, _STARS = _read_table()


def _folders_above() -> dict[str, str]:
    """Return the rules of the folders that entries of the table lie in, by key: a link in the place of one leads elsewhere."""
    found: dict[str, str] = {}
    for rule, words in _FILES.items():
        for word in words.casefold().split():
            folder = word.rstrip("/").rpartition("/")[0]
            while folder:
                found.setdefault(folder, rule)
                folder = folder.rpartition("/")[0]
    return found


_ABOVE = _folders_above()


def _keys_of(path: str) -> Iterator[str]:
    """Yield what the table may call a path: its name and each of its folders, alone, with the one above, and from the top."""
    parts = [plain_name(part) for part in path.split("/")]
    for at, part in enumerate(parts):
        end = "" if at == len(parts) - 1 else "/"
        yield part + end
        if at > 0:
            yield f"{parts[at - 1]}/{part}{end}"
        if at < _DEEPEST:
            yield f"/{'/'.join(parts[: at + 1])}{end}"


def protecting_rule(path: str) -> str | None:
    """Return the rule that protects a file by its path, whatever its case; None where none does."""
    found = {_KEYS[key] for key in _keys_of(path) if key in _KEYS}
    name = plain_name(path.rpartition("/")[2])
    top = f"/{path.casefold()}"
    found.update(
        rule for rule, pattern in _STARS if pattern.match(name) or (path.count("/") < _DEEPEST and pattern.match(top))
    )
    return min(found, key=_RANK.__getitem__, default=None)


def link_rule(path: str) -> str | None:
    """Return the rule that protects what a link stands in the place of: a file, or a folder that holds protected ones."""
    keys = (key for key in _keys_of(path) if not key.endswith("/"))
    found = {_ABOVE[key] for key in keys if key in _ABOVE}
    found.update(rule for rule in (protecting_rule(path), protecting_rule(f"{path}/x")) if rule is not None)
    return min(found, key=_RANK.__getitem__, default=None)


def words_of(rule: str) -> str:
    """Return what a change of a file that the rule protects does."""
    return _WORDS[rule]


def spec_words(path: str, feature: str, tasks_path: str) -> str | None:
    """Return why a change of a spec's file deserves a look; None where it does not, as for the phase's own tasks.md."""
    if path == tasks_path:
        return None
    if feature and path.casefold() in {f"{feature}/{name}".casefold() for name in _OWN_FILES}:
        return "it changes what this feature is, and not how it is done"
    inside = bool(feature) and path.startswith(f"{feature}/")
    if not inside and _SPEC_FILES.fullmatch(path):
        return "it changes the specification of another feature"
    return None


def ignore_rules(path: str, before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield the rules that a changed ignore file breaks, with the reasons."""
    if not IGNORE_FILES.fullmatch(path):
        return
    old, new = _lines(before), _lines(after)
    were, are = frozenset(old), frozenset(new)
    gone = [line for line in old if line not in are and not line.startswith("!")]
    opened = [line for line in new if line not in were and line.startswith("!")]
    if gone or opened:
        line = (opened or gone)[0]
        more = len(gone) + len(opened) - 1
        said = f"{line[:60]!r}" + (f" and {more} more" if more else "")
        yield "unignored", f"files that were kept out can be committed: {'added' if opened else 'removed'} {said}"
    elif new != old:
        yield "ignore", "it hides more files from git or another tool"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
