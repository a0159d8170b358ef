import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.policy.asked_paths import Named
from moonmind.proof.policy.policy_rules import RULES, PolicySettings
from moonmind.proof.policy.protected_files import ignore_rules, protecting_rule
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import FEATURE, TASKS, found

PROTECTED = {
    "ci": """
        .github/workflows/ci.yml .github/workflows/sub/x.yaml .GitHub/Workflows/CI.yml .github/actions/setup/action.yml
        .gitlab-ci.yml .gitlab/ci/test.yml templates/build.gitlab-ci.yml .circleci/config.yml .buildkite/pipeline.yml
        .travis.yml azure-pipelines.yml azure-pipelines-release.yml .azuredevops/x.yml bitbucket-pipelines.yml Jenkinsfile
        deploy/Jenkinsfile Jenkinsfile.release .drone.yml .woodpecker/test.yaml .woodpecker.yml .cirrus.yml appveyor.yml
        .tekton/push.yaml .semaphore/semaphore.yml cloudbuild.yaml buildspec.yml .gitea/workflows/x.yml
        .forgejo/workflows/x.yml action.yml tools/check/action.yaml netlify.toml vercel.json
    """,
    "owners": "CODEOWNERS .github/CODEOWNERS docs/CODEOWNERS .gitlab/CODEOWNERS OWNERS pkg/OWNERS .mergify.yml",
    "bots": ".github/dependabot.yml renovate.json .github/renovate.json5 .github/settings.yml .gitleaks.toml .secrets.baseline",
    "moonmind": ".moonmind.yml",
    "agent_rules": """
        AGENTS.md agents.md api/AGENTS.md CLAUDE.md web/CLAUDE.md GEMINI.md .mcp.json web/.mcp.json .cursorrules
        .cursor/rules/a.mdc .cursor/mcp.json .windsurfrules .windsurf/rules/x.md .clinerules .clinerules/a.md .roo/rules/x.md
        .github/copilot-instructions.md .github/instructions/py.instructions.md .github/prompts/a.prompt.md
        .github/agents/x.agent.md .github/chatmodes/x.chatmode.md .claude/settings.json .claude/commands/x.md
        .codex/config.toml .gemini/settings.json .specify/memory/constitution.md .goosehints .aider.conf.yml .junie/guidelines.md
        .kiro/steering/a.md .amazonq/rules/a.md .continue/config.yaml opencode.json .opencode/x.md .augment-guidelines
    """,
    "editor": """
        .vscode/tasks.json .vscode/settings.json web/.vscode/launch.json .devcontainer/devcontainer.json .devcontainer.json
        .envrc sub/.envrc .idea/workspace.xml app.code-workspace .gitpod.yml .exrc .nvim.lua .dir-locals.el mise.toml .tool-versions
        flake.nix .gdbinit .replit .idx/dev.nix
    """,
    "hooks": ".husky/pre-commit .githooks/pre-push .pre-commit-config.yaml lefthook.yml .lefthook.toml",
    "package_sources": """
        .npmrc web/.npmrc .yarnrc.yml .yarn/plugins/a.cjs .pnpmfile.cjs pip.conf .cargo/config.toml nuget.config gradlew
        gradle/wrapper/gradle-wrapper.jar .mvn/wrapper/maven-wrapper.properties bunfig.toml .bundle/config
    """,
    "install_scripts": "setup.py lib/setup.py build.rs crates/a/build.rs binding.gyp extconf.rb sitecustomize.py",
    "attributes": ".gitattributes a/.gitattributes .lfsconfig",
}
PLAIN = [
    "src/a.py",
    "README.md",
    ".github/ISSUE_TEMPLATE/bug.md",
    ".github/FUNDING.yml",
    "docs/workflows/ci.yml",
    "sub/.github/x.md",
    "package.json",
    "pyproject.toml",
    "tests/conftest.py",
    "Dockerfile",
    "docs/agents.txt",
    "src/owners.py",
    "mcp.py",
    "vscode/tasks.json",
    "build.rs.md",
    "src/setup.pyx",
    "github/workflows/ci.yml",
    "Makefile.txt",
]


@pytest.mark.parametrize(
    ("rule", "path"), [(rule, path) for rule, paths in PROTECTED.items() for path in paths.split()]
)
def test_files_are_protected_by_default_added_and_changed(rule: str, path: str) -> None:
    for status in "AMT":
        assert [(one.rule, one.severity) for one in found(a_change(path, status, old="100644"), there=["x"])] == [
            (rule, RULES[rule].severity)
        ]
    gone = "ci_removed" if rule == "ci" else rule
    assert [one.rule for one in found(a_change(path, "D", old="100644"))] == [gone]


@pytest.mark.parametrize("path", PLAIN)
def test_files_of_every_day_are_not(path: str) -> None:
    assert protecting_rule(path) is None
    assert found(a_change(path)) == ()


@pytest.mark.parametrize(
    "path",
    [".vs\u200ccode/tasks.json", ".vscode./tasks.json", "AGENTS.md ", "CLAUDE.md::$DATA", ".GITHUB/workflows/x.yml"],
)
def test_other_spellings_that_a_system_takes_for_them_are_protected_too(path: str) -> None:
    assert protecting_rule(path) is not None


@pytest.mark.parametrize("path", [".vscode", ".claude", ".devcontainer", "a/.idea"])
def test_a_link_in_the_place_of_a_protected_folder_is_one(path: str) -> None:
    assert [one.severity for one in found(a_change(path, mode="120000", link="x"))] == [Severity.DRAFT]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".github", "ci"),
        (".GitHub", "ci"),
        (".gitlab", "ci"),
        (".cargo", "package_sources"),
        ("crates/a/.cargo", "package_sources"),
        ("gradle", "package_sources"),
        (".yarn", "package_sources"),
        ("docs", "owners"),
        ("web/docs", None),
        ("src/.github", None),
        ("src", None),
        ("x", None),
    ],
)
@pytest.mark.parametrize("status", ["A", "M", "T"])
def test_a_link_in_the_place_of_a_folder_that_holds_protected_files_is_one(
    path: str, rule: str | None, status: str
) -> None:
    change = a_change(path, status, mode="120000", link="cfg", old="000000" if status == "A" else "100644")
    assert [one.rule for one in found(change)] == ([] if rule is None else [rule])
    assert not found(a_change(path)), "a file of that name leads nowhere"


@pytest.mark.parametrize(
    ("status", "mode", "rules"),
    [
        ("A", "100644", []),
        ("D", "100644", []),
        ("M", "100644", ["commands"]),
        ("T", "100644", ["commands"]),
        ("T", "120000", ["commands"]),
    ],
)
def test_commands_that_were_there_are_named_also_where_a_link_takes_their_place(
    status: str, mode: str, rules: list[str]
) -> None:
    change = a_change("Makefile", status, mode, link="x", old="000000" if status == "A" else "100644")
    assert [one.rule for one in found(change, there=["x"])] == rules


def test_long_ignore_files_are_compared_at_once() -> None:
    before, after = ("".join(f"{letter}{number}\n" for number in range(60_000)) for letter in "ab")
    began = time.process_time()
    assert [rule for rule, _ in ignore_rules(".gitignore", before, after)] == ["unignored"]
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("path", "task"),
    [
        (".vscode/tasks.json", ".vscode/tasks.json"),
        (".vscode/tasks.json", ".vscode/"),
        (".vscode/tasks.json", ".vscode"),
        ("web/.envrc", ".envrc"),
        (f"{FEATURE}/plan.md", f"{FEATURE}/plan.md"),
    ],
)
def test_what_a_task_asks_for_warns_and_names_the_task(path: str, task: str) -> None:
    (one,) = found(a_change(path), asked=[Named("T003", task)])
    assert one.severity is Severity.WARN
    assert one.line.endswith("(T003 asks for it)")


@pytest.mark.parametrize(
    ("path", "task"), [("backend/.envrc", "backend/"), (".vscode/tasks.json", "src/a.py"), (".envrc", ".envrc.md")]
)
def test_a_task_for_a_folder_does_not_ask_for_protected_files_in_it(path: str, task: str) -> None:
    (one,) = found(a_change(path), asked=[Named("T003", task)])
    assert (one.severity, one.task) == (Severity.DRAFT, "")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (f"{FEATURE}/spec.md", "spec"),
        (f"{FEATURE}/plan.md", "spec"),
        ("specs/other/tasks.md", "spec"),
        ("specs/other/spec.md", "spec"),
        ("backend/specs/001-a/plan.md", "spec"),
        (f"{FEATURE}/quickstart.md", None),
        (f"{FEATURE}/contracts/spec.md", None),
        (TASKS, None),
        ("docs/spec.md", None),
    ],
)
def test_a_phase_does_not_change_what_it_is_judged_by(path: str, rule: str | None) -> None:
    assert [one.rule for one in found(a_change(path, "M", old="100644"))] == ([rule] if rule else [])
    assert [one.rule for one in found(a_change(path, "D", old="100644"))] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (None, "__pycache__/\n*.log\n", "ignore"),
        ("*.log\n", "*.log\ndist/\n", "ignore"),
        (".env\n*.log\n", "*.log\n", "unignored"),
        (".env\n", None, "unignored"),
        (".env\n", ".env\n!.env\n", "unignored"),
        (".env\n!.env.example\n", ".env\n", None),
        ("*.log\n", "# logs\n*.log\n", None),
        ("a\nb\n", "b\n\na\n", "ignore"),
    ],
)
def test_ignore_files_may_grow_and_letting_files_in_is_a_draft(
    before: str | None, after: str | None, rule: str | None
) -> None:
    change = a_change(
        ".gitignore", "D" if after is None else "M" if before else "A", old="100644" if before else "000000"
    )
    findings = found(change, files={".gitignore": (before, after)})
    wanted = [] if rule is None else [(rule, RULES[rule].severity)]
    if rule is None:
        assert all(one.severity is Severity.WARN for one in findings)
    else:
        assert [(one.rule, one.severity) for one in findings] == wanted


def test_a_repository_protects_more_and_makes_what_is_protected_graver() -> None:
    infra = PolicySettings(("infra/**",))
    assert [one.severity for one in found(a_change("infra/a/b.tf"), settings=infra)] == [Severity.DRAFT]
    assert not found(a_change("src/infra.tf"), settings=infra)
    for level in (Severity.ASK, Severity.REFUSE):
        graver = PolicySettings(("infra/**",), level)
        assert [one.severity for one in found(a_change("infra/b.tf"), settings=graver)] == [level]
        named = found(a_change(".envrc"), settings=graver, asked=[Named("T1", ".envrc")])
        assert [one.severity for one in named] == [level], (
            "what people ask for explicitly, a task does not make lighter"
        )
        assert [one.severity for one in found(a_change("x.sh", mode="100755"), settings=graver)] == [Severity.WARN]


@pytest.mark.parametrize(
    ("settings", "severity"),
    [
        (PolicySettings(), Severity.WARN),
        (PolicySettings(protected_is=Severity.WARN, by_repository=True), Severity.WARN),
        (PolicySettings(by_repository=True), Severity.DRAFT),
        (PolicySettings(protected_is=Severity.ASK), Severity.ASK),
        (PolicySettings(protected_is=Severity.REFUSE, by_repository=True), Severity.REFUSE),
    ],
)
@pytest.mark.parametrize(("path", "rule"), [("Makefile", "commands"), (".gitignore", "ignore")])
def test_protected_files_that_are_a_warning_become_graver_too(
    settings: PolicySettings, severity: Severity, path: str, rule: str
) -> None:
    findings = found(a_change(path, "M", old="100644"), files={path: ("a\n", "a\nb\n")}, settings=settings)
    assert [(one.rule, one.severity) for one in findings] == [(rule, severity)]


def test_an_operator_may_let_protected_files_warn_and_nothing_else() -> None:
    lighter = PolicySettings(protected_is=Severity.WARN)
    assert [one.severity for one in found(a_change(".envrc"), settings=lighter)] == [Severity.WARN]
    assert [one.severity for one in found(a_change("con.txt"), settings=lighter)] == [Severity.DRAFT]
    (ci,) = found(a_change(".github/workflows/ci.yml"), settings=lighter)
    assert ci.severity is (Severity.WARN if RULES["ci"].severity is Severity.DRAFT else RULES["ci"].severity)


@given(st.text(max_size=60))
def test_any_path_has_an_answer(path: str) -> None:
    assert protecting_rule(path) is None or protecting_rule(path) in RULES
