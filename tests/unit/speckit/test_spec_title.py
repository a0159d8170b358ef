import pytest

from moonmind.speckit.spec_title import LONGEST, title_in


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Feature Specification: Refresh Docs\n", "Refresh Docs"),
        ("\ufeff# Feature Specification: Photo `Album` **Sharing**\r\n\r\nText\r\n", "Photo Album Sharing"),
        ("---\ntitle: x\n---\n\n# Feature Spec - Cart: checkout\n", "Cart: checkout"),
        ("# Billing — Feature Specification\n", "Billing"),
        ("# Payments: refunds in parts\n", "Payments: refunds in parts"),
        ("# 功能规格：购物车\n", "购物车"),
        ("# 機能仕様: 検索\n", "検索"),
        ("# 기능 명세: 로그인\n", "로그인"),
        ("# Especificação da Funcionalidade: Carrinho\n", "Carrinho"),
        ("```\n# Feature Specification: In a fence\n```\n\n# Spec: Real <!-- hidden -->\n", "Real"),
        ("Feature Specification: Underlined\n===\n", "Underlined"),
        ("## Not a title\n\n# Feature Specification: snake_case_name\n", "snake_case_name"),
    ],
)
def test_a_feature_is_called_by_its_first_heading(text: str, title: str) -> None:
    assert title_in(text.encode(), "spec.md") == title


@pytest.mark.parametrize(
    "text",
    ["", "no heading\n", "# Feature Specification: [FEATURE NAME]\n", "# Feature Specification\n", "# Specification:\n", "# \n",
     "# {{name}}\n", "<<<<<<< ours\n# A\n"],
)  # fmt: skip
def test_a_spec_that_nobody_named_gives_no_title(text: str) -> None:
    assert title_in(text.encode(), "spec.md") is None


def test_what_is_no_text_gives_no_title_and_a_long_one_is_cut() -> None:
    assert title_in(b"# \xff\n", "spec.md") is None
    assert title_in(b"# A\0B\n", "spec.md") is None
    long = title_in(f"# Feature Specification: {'word ' * 100}\n".encode(), "spec.md")
    assert long is not None
    assert len(long) <= LONGEST
    assert long.endswith("…")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("words", ["a" + "_" * 900_000, "[" * 900_000, "{" * 900_000, "<" * 900_000, "a - " * 200_000])
def test_a_heading_of_any_length_is_named_at_once(words: str) -> None:
    title = title_in(f"# Feature Specification: Photos {words}\n".encode(), "spec.md")
    assert title is not None
    assert title.startswith("Photos ")
    assert len(title) <= LONGEST
