"""Tasks that no agent can do, tasks that only verify, and the many that look like one and are an agent's."""

import pytest

from moonmind.speckit.people_tasks import is_closing, kinds_in, looks_only
from moonmind.speckit.task_marks import marks_in, marks_in_heading


def kind_of(text: str) -> str | None:
    found = kinds_in(text) or looks_only(text)
    return found[0].kind if found else None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Get approval from the security team", "approval"),
        ("Approve the design", "approval"),
        ("README + exit criteria sign-off", "approval"),
        ("代表承認を得る", "approval"),
        ("获得负责人批准", "approval"),
        ("Deploy to production", "deploy"),
        ("Deploy `contracts/Vault.sol` to devnet", "deploy"),
        ("Publish the package to npm", "deploy"),
        ("部署到生产环境", "deploy"),
        ("Verify on the staging server", "environment"),
        ("Verify the flow by sending a real instruction on devnet", "environment"),
        ("Run the installer on two VMs", "environment"),
        ("Test on a physical device", "device"),
        ("実機で動作を確認し、`specs/001-mvp/research.md` に記録", "device"),
        ("在真机上测试", "device"),
        ("Test with screen reader (NVDA) and fix findings", "assistive technology"),
        ("Propose the change in another repository", "another repository"),
        ("contracts/patch.yaml의 변경을 acme-api-spec 레포 openapi.yaml에 선반영 제안", "another repository"),
        ("Initialize git repository and first commit", "git"),
        ("Push the code to origin", "git"),
        ("Commit everything", "git"),
        ("Wait for the decision of the owner", "approval"),
        ("Install the SDK (waits for the owner's decision)", "approval"),
        ("Propose the schema in the acme-spec repo (see `contracts/a.yaml`)", "another repository"),
        ("Set the redirect URL in the Stripe dashboard", "credentials"),
        ("Buy the domain example.org", "credentials"),
        ("Verify on an Android device", "device"),
        ("Create feature branch `001-x`", "git"),
        ("Commit all changes with message", "git"),
        ("Open a pull request", "git"),
        ("Check that the git branch is 001-x, stop if it is main", "git"),
        ("Confirm `git branch --show-current` prints `001-x`; stop if it is main", "git"),
        ("**Branch check**: it must be `001-x`, otherwise stop", "git"),
        ("Ensure you are on branch `001-x`, never on main", "git"),
        ("Verify we are not on `main` (see specs/001-x/plan.md)", "git"),
        ("Confirm branch 014-remove-edit-ui is current and up-to-date with main", "git"),
        ("Verify current branch is `1-a` and fail immediately if it is `main`", "git"),
        ("Verify current branch is `001-x` in scripts/setup.sh", "git"),
        ("确认当前分支为 `001-x`", "git"),
        ("ブランチが `001-x` であることを確認", "git"),
        ("브랜치가 `001-x`인지 확인", "git"),
        ("提交代码到远程", "git"),
        ("전체 테스트 통과 확인 후 dev로 PR", "git"),
        ("Obtain an API key from the provider", "credentials"),
        ("Add the token to GitHub secrets", "credentials"),
        ("Record a demo video", "recording"),
        ("Present the result to stakeholders", "people"),
        ("Conduct user testing with five participants", "people"),
        ("Verify all changes are committed (git status is clean)", "git"),
        ("Push current branch to remote", "git"),
        ("Fazer primeiro commit e push para a main", "git"),
        ("Wait for design review", "approval"),
        ("Submit the app in App Store Connect", "deploy"),
        ("Create GitHub release", "deploy"),
        ("Provision the database on AWS", "deploy"),
        ("Publicar na Play Store", "deploy"),
        ("Monitor error rates in production", "environment"),
        ("Monitor logs for one week", "environment"),
        ("Validate error tracking in the Sentry dashboard", "environment"),
        ("Verify on Safari iOS", "device"),
        ("Flash the firmware to the board", "device"),
        ("VoiceOver walkthrough of all screens", "assistive technology"),
        ("Create a Stripe account", "credentials"),
        ("Register the app in Google Cloud Console", "credentials"),
        ("Add the key to Vercel environment variables", "credentials"),
        ("Rotate production credentials", "credentials"),
        ("Rotate the access key in R2 Dashboard", "credentials"),
        ("Take screenshots for the App Store", "recording"),
        ("Announce the release in Slack", "people"),
        ("Collect feedback from 5 beta users", "people"),
        ("Translate the strings with a native speaker", "people"),
        ("Commit changes in src/app.py", "git"),
        ("Commit all changes in src/app.py", "git"),
        ("Open a pull request for src/app.py", "git"),
        ("git add src/app.py and commit", "git"),
        ("Deploy to production (scripts/deploy.sh)", "deploy"),
        ("Publish the package to npm as described in docs/release.md", "deploy"),
    ],
)
def test_a_task_for_people_is_named_with_the_words_that_say_so(text: str, kind: str) -> None:
    (reason,) = kinds_in(text)
    assert reason.kind == kind
    assert reason.words.split("...")[0].casefold() in text.casefold()


@pytest.mark.parametrize(
    "text",
    [
        "Run the whole test suite",
        "Check that the page loads",
        "Verify quickstart.md steps end to end",
        "Run quickstart.md validation (unit tests, build)",
        "Validate that all acceptance scenarios hold",
        "Ensure all tests pass",
        "Run `pytest tests/unit` and confirm coverage",
        "Perform final regression testing",
        "[Polish] 运行 quickstart.md 验收",
        "验证登录流程",
        "画面の表示を確認する",
        "전체 테스트 실행",
        "Vérifier le rendu",
        "Verificar el flujo completo",
        "Проверить работу экрана",
        "Gesamten Ablauf prüfen",
        "Verify dark mode works",
        "Verify SC-001 and SC-002",
        "Run `npm test`",
        "Confirm the build is green",
        "Make sure that login works as expected",
        "验证功能正常",
        "Verify the dev server can start",
    ],
)
def test_a_task_that_only_looks_is_seen(text: str) -> None:
    (reason,) = looks_only(text)
    assert reason.kind == "verify"
    assert reason.words


@pytest.mark.parametrize(
    "text",
    [
        "Implement the deploy command in src/deploy.py",
        "Deploy script in scripts/deploy.sh",
        "Write approve endpoint",
        "Add manual retry to `x.py`",
        "Implement git commit parser",
        "Create branch entity",
        "Verify that pushed changes are merged in the sync queue",
        "Await review status before publishing",
        "Submit form for review",
        "Create release notes page",
        "Provision tenants on sign-up",
        "Monitor queue depth and scale workers",
        "Flash message component",
        "Create Google account link page",
        "Register the console logger",
        "Add environment variables to the config loader",
        "Rotate access tokens in the session store",
        "Capture screenshots of failing tests in tests/support/shots.ts",
        "Announce errors to screen readers in src/a11y/live.ts",
        "Notify users when an order ships",
        "Collect feedback form entries",
        "Test empty states and add missing ones",
        "Confirm branch `029-x` is checked out; create the empty package `src/limits/__init__.py`",
        "Verify branch totals in the report",
        "Check permissions of the branch manager",
        "验证分支机构数据",
        "Add device detection in src/device.ts",
        "Write staging configuration in config/staging.yml",
        "Write tests for the screen reader labels in tests/a11y.test.ts",
        "Create the secrets loader in src/secrets.py",
        "GET /api/accounts returns the accounts",
        "Rotate access tokens on refresh",
        "Add OrderRepository to the order-item repository",
        "Run the linter and fix what it finds",
        "Run the suite; fix regressions",
        "Verify the totals, add a test for rounding",
        "Write contract test for POST /users in tests/contract/test_users.py",
        "Run `prisma migrate dev` to create the tables",
        "Validate email addresses in the form",
        "Check permissions before delete",
        "添加验证：检查 `frontend/package.json`",
        "创建确认对话框 src/a.tsx",
        "ログインを実装し、動作を確認する",
        "로그인 구현 후 확인",
        "Document the release process in docs/release.md",
        "Test the login flow",
        "Register routes with the app",
        "Register the service with the container",
        "Add a chart to the dashboard",
        "Sign up with Google button",
        "Request approval endpoint for expenses",
        "Receive approval notifications",
        "Approve/reject endpoints for reviews",
        "Get permission from the user for notifications",
        "Show requests pending owner approval in src/requests.tsx",
        "Move the queries into a separate repository in src/orders/repository.py",
        "Initialize git repository and create `.gitignore`",
        "Push notifications for reminders",
        "Publish to the Redis channel on update",
        "Capture video frames from the camera",
        "Schedule reminders for users",
        "Train the recommender on the users' data",
        "Purchase subscriptions screen",
        "Request access tokens from the auth server",
        "Confirm dialog for deletion",
        "Verify email endpoint",
        "Verify webhook signatures",
        "Check for updates at the start",
        "Check if the user exists before insert",
        "Complete integration tests for orders",
        "Ensure navigation works on mobile devices",
        "Validate that the amount is positive",
        "Deployment guide and release notes",
        "Create project structure per implementation plan",
        "Setup database schema and migrations framework",
        "Additional unit tests in tests/unit/",
        "Security hardening",
        "Run database migrations",
        "验证码登录接口",
        "确认按钮组件",
        "提交所有表单数据",
        "推送到消息队列",
        "创建分支机构管理",
        "비밀번호 확인",
        "예약 알림 푸시",
        "オーナー承認待ちの一覧を実装する",
        "Create PR webhook handler in src/webhooks/pr.py",
        "Push changes to subscribers via SSE in src/sse/stream.ts",
        "Commit changes to the database in src/db/unit_of_work.py",
        "Merge branch coverage reports in scripts/merge_cov.py",
        "Publish domain events to AWS SNS in src/events/publisher.py",
        "Ship logs to AWS CloudWatch in src/logging/ship.py",
        "Create branch from a template in `src/git/branches.ts`",
        "Push files to the bucket (src/upload.py)",
        "Publish metrics to GCP in src/metrics/push.go",
        "Deploy previews to Vercel in src/preview/deploy.ts",
        "Open pull request list page — src/pages/pulls.tsx",
        "Test that the parser rejects empty input",
        "Validate all form fields on submit",
        "Verify ownership in delete endpoint",
        "Check whether the slot is free when booking",
        "Measure text width in canvas renderer",
        "Run health checks every minute from the worker",
        "验证用户权限",
        "Verify the checksum of downloads",
        "Confirm all pending invitations by e-mail",
        "Run validations before saving",
        "Execute test suites nightly from the scheduler",
        "Measure request latency with a histogram",
        "Vérifier les droits",
        "有効期限を確認する",
        "권한 여부 확인",
    ],
)
def test_what_is_an_agents_or_doubtful_goes_to_the_agent(text: str) -> None:
    assert kind_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Verify ownership in delete endpoint",
        "Check whether the slot is free when booking",
        "Measure text width in canvas renderer",
        "验证用户权限",
        "Verify keyboard navigation",
        "Cross-browser testing (Chrome, Firefox, Safari)",
        "Final integration testing of the pipeline",
        "Test the login flow",
        "测试登录流程",
    ],
)
def test_among_the_last_checks_no_check_has_to_be_named(text: str) -> None:
    assert [reason.kind for reason in looks_only(text, closing=True)] == ["verify"]
    assert looks_only(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Test backup restore",
        "[P] Test CLI exit codes",
        "测试备份恢复",
        "Test empty states and add missing ones",
        "Fix the checks",
    ],
)
def test_among_the_last_checks_a_test_may_be_one_to_write(text: str) -> None:
    assert looks_only(text, closing=True) == ()


@pytest.mark.parametrize(
    ("title", "closing"),
    [
        ("Phase 9: Polish & Cross-Cutting Concerns", True),
        ("Phase 7: Validation", True),
        ("Phase 4: User Story 2 - Email Verification (P2)", False),
        ("Phase 3: US1 - Form validation", False),
        ("Phase 5: User Story 3 - Release calendar", False),
        ("Phase 8: Testing & Validation", True),
        ("Phase 9: Final Verification", True),
        ("阶段 6：最终验证", True),
        ("Phase 5: Input Validation", False),
        ("Phase 5: Email Verification", False),
        ("Phase 5: Validation rules", False),
        ("阶段 3：邮箱验证", False),
    ],
)
def test_a_user_story_is_no_heading_of_last_checks(title: str, closing: bool) -> None:
    assert is_closing(title) is closing


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        "push changes in a.py ",
        "PAID, BLOCKED ",
        "Commit changes to ",
        "works ",
        "Run a",
        "in a-",
        "変更を",
        "verify in the ",
        "[a]",
        "(manual ",
        "（跳过",
        "git push ",
    ],
)
def test_a_line_of_any_length_is_read(unit: str) -> None:
    line = unit * 100_000
    kinds_in(line)
    looks_only(line)
    marks_in(line)
    marks_in_heading(line)
