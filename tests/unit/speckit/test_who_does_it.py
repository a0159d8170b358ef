"""Lines as authors write them, with who does them: an agent, a person, or whoever runs the checks."""

import pytest

from moonmind.speckit.people_tasks import is_closing, kinds_in, looks_only
from moonmind.speckit.spec_tasks import Reason
from moonmind.speckit.task_marks import marks_in
from moonmind.speckit.tasks_md import read_tasks


def reasons_of(text: str, title: str = "Phase 3: User Story 1") -> tuple[Reason, ...]:
    (task,) = read_tasks(f"## {title}\n\n- [ ] T001 {text}\n".encode()).tasks
    return task.reasons


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ensure you are on the 001-foo branch", "git"),
        ("Confirm you're on `001-foo`", "git"),
        ("Check out the `001-foo` branch", "git"),
        ("Checkout 001-foo branch", "git"),
        ("Switch to `001-foo` branch", "git"),
        ("Rebase onto main", "git"),
        ("Final commit and push", "git"),
        ("Stage and commit all changes", "git"),
        ("Initial commit", "git"),
        ("Commit Phase 1", "git"),
        ("Create git tag v1.0.0", "git"),
        ("Check git status is clean", "git"),
        ("Ensure working tree is clean", "git"),
        ("Ensure all work is committed and pushed to origin", "git"),
        ("创建功能分支", "git"),
        ("切换到 001-x 分支", "git"),
        ("ブランチを作成する", "git"),
        ('git commit -m "x"', "git"),
        ("Verify changes are committed", "git"),
    ],
)
def test_a_task_is_kept_from_agents(text: str, kind: str) -> None:
    assert [reason.kind for reason in reasons_of(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "Ensure every branch is tested in tests/test_x.py",
        "Verify each branch is covered by a unit test",
        "Ensure the error branch is covered by tests in tests/x.test.ts",
        "Check branch is protected in src/rules/branch.py",
        "Ensure branch is created per tenant in src/tenant/branch.go",
        "Ensure branch is required on the order form",
        "Ensure network calls are not on main thread in android/app/src/Repo.kt",
        "Ensure decoding is not on the main actor in Sources/Decoder.swift",
        "Ensure heavy work is not in the main bundle",
        "Ensure changes are pushed to the client via WebSocket in src/ws.ts",
        "Ensure work is committed to the database in one transaction in src/db/uow.py",
        "Make sure changes committed by the user are persisted in src/store.ts",
        "Ensure worktree manager creates git branch per run in src/worktree.ts",
        "Make sure the CLI detects the current git branch in src/cli.ts",
        "Verify git branch name sanitization in tests/test_git.py",
        "git branch listing in src/git/branches.ts",
        "git init wrapper function in src/git/init.ts",
        "Verify the current branch before deploying in scripts/deploy.sh",
        "Check current branch name in `scripts/hooks/pre-commit.sh`",
        "Confirm feature branch naming rules in src/rules.ts",
        "Ensure active branch of the bank is preselected in src/bank/form.tsx",
        "Check the current branch; install dependencies in package.json",
        "Check branch `001-x` exists and scaffold project src/index.ts",
        "ブランチが存在するか確認する処理を追加 src/git.ts",
        "检查当前分支是否受保护 src/git/guard.ts",
        "检查功能分支开关 src/flags.ts",
        "确认所在分支机构 src/x.ts",
        "新建条件分支 src/flow.ts",
        "创建分支节点组件 src/flow/Branch.tsx",
        "支店ブランチを作成する API src/branch.ts",
        "브랜치를 생성하는 서비스 src/git.ts",
        "変更をプッシュ通知する src/push.ts",
        "Push branch selector component",
        "Git commit list view",
        "Create a Stripe account for each new seller",
        "Create Stripe account onboarding flow",
        "Create Google account login",
        "Set up Auth0 account linking middleware",
        "Update render settings panel",
        "Configure render settings",
        "Add Railway settings page for trains",
        "Rotate production keys via KeyRotationService",
        "Add Stripe dashboard link to admin",
        "Create developer dashboard layout",
        "Create an account with email and password",
        "Notify all stakeholders when an order ships",
        "Inform stakeholders through webhook on failure",
        "Native speaker filter in tutor search",
        "Team review page",
        "Collect feedback from beta users via in-app form",
        "Announce form errors on social login page",
        "Create a GitHub release job",
        "Create GitHub release action",
        "Provision RDS on AWS with Terraform",
        "发布微信消息模块",
        "提交微信支付订单",
        "上传微信头像功能",
        "Publicar evento em produção",
        "Получить список заказов",
        "Запросить данные профиля",
        "Развернуть список",
        "Desplegar menú lateral",
        "Déployer le menu",
        "Implantar tela de login",
        "Obtenir la validation du formulaire",
        "Obtener la clave primaria",
        "Fazer o push de notificações",
        "Fazer o commit da transação",
        "Verify service starts only when configured",
        "Verify app runs only once (single instance lock)",
        "Cross-browser testing configuration with Playwright",
        "Visual regression testing setup",
        "验证登录流程，修复发现的问题",
        "运行测试并修复问题",
        "执行 quickstart 流程验证与修正问题",
        "ログインを実装し、動作を確認する",
        "로그인 구현 후 확인",
        "Verify users can log in and fix what fails",
        "Verificar que funciona correctamente y corregir los errores",
        "Prüfe, dass alle Tests laufen, und behebe Fehler",
        "Verify users can log in; update README",
        "Run all tests and update the docs",
    ],
)
def test_a_task_is_an_agents(text: str) -> None:
    assert reasons_of(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Prüfe, dass Änderungen korrekt gespeichert werden",
        "Überprüfe, dass alle Tests ohne Änderung durchlaufen",
        "ページが移動することを確認",
        "메뉴 확장이 정상 동작하는지 확인",
        "Verificare che si possa creare e modificare un ordine correttamente funziona",
        "一覧が更新されることを確認",
        "목록이 갱신되는지 확인",
        "验证删除功能正常工作",
        "检查配置文件加载正常",
        "Verificar que se puede crear y modificar un pedido correctamente",
        "Verify users can add, edit, and update tasks correctly",
        "Verify user can create, update and delete items end-to-end",
        "Verify the form saves and updates correctly",
        "Voer alle tests uit en controleer",
        "Tüm testleri çalıştır",
        "Uruchom wszystkie testy",
        "Chạy tất cả test và kiểm tra",
    ],
)
def test_a_plain_check_holds_up_no_phase(text: str) -> None:
    assert [reason.kind for reason in reasons_of(text)] == ["verify"]


@pytest.mark.parametrize(
    ("title", "closing"),
    [
        ("Phase 3: Schema & Validation", False),
        ("Phase 3: Parsing and Validation", False),
        ("Phase 3: Authentication and Verification", False),
        ("Phase 3: Validation Utilities", False),
        ("Phase 3: Validation Hooks", False),
        ("Phase 3: Validation Components", False),
        ("Phase 3: Release Planning UI", False),
        ("Phase 3: Offer Acceptance", False),
        ("Phase 3: Polish language support", False),
        ("阶段 3：注册与验证", False),
        ("フェーズ3：登録と検証", False),
        ("Fase 5: Pulido y validación", True),
        ("Fase final: Polimento", True),
        ("Phase 5: Validierung", True),
        ("Étape 5 : Finitions", True),
        ("Этап 5: Финальная проверка", True),
        ("Phase 5: Final Testing", True),
        ("Phase 5: Testing & Validation", True),
        ("Phase 6: User Acceptance", True),
        ("阶段 6：测试与验证", True),
    ],
)
def test_a_title_of_last_checks_is_told_from_one_of_what_is_built(title: str, closing: bool) -> None:
    assert is_closing(title) is closing


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        "verify can ",
        "changes ",
        "not on main ",
        "a-",
        "更新",
        "再",
        "수정",
        "create a stripe ",
        "(human ",
        "& ",
        "provision ",
    ],
)
def test_a_long_text_is_judged_quickly(unit: str) -> None:
    line = unit * 100_000
    for text in (line, f"verify {line}", f"验证{line}", f"provision {line}"):
        kinds_in(text)
        looks_only(text)
    marks_in(line)
    is_closing(line[:2_000])
