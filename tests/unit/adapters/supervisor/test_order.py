import json
from typing import Any

import pytest

from moonmind.adapters.supervisor.order import KeyProxy, Loan, Order, Space

ORDER = Order(
    folder="/jobs/run/submit-1",
    argv=("codex", "exec"),
    environment={"PATH": "/bin"},
    cwd="/work",
    stdin="prompt é",
    log_path="/log.jsonl",
    stall_seconds=1.5,
    total_seconds=2.5,
    output_bytes=100,
    secrets=("a-secret-value",),
    proxy=KeyProxy("http://127.0.0.1:1/v1", "the-key-itself"),
    loan=Loan("/a", "/b"),
    usage_before={"input_tokens": 1},
    space=Space(("/written",), 10, 20, "SIZE"),
)


def test_an_order_comes_out_of_the_pipe_as_it_went_in() -> None:
    read = Order.from_bytes(ORDER.as_bytes())
    assert Order.from_bytes(read.as_bytes()).as_bytes() == ORDER.as_bytes()
    assert read.space is not None
    assert read.space.most_bytes == 10
    assert (read.proxy, read.loan, read.stdin, list(read.argv)) == (
        ORDER.proxy,
        ORDER.loan,
        ORDER.stdin,
        list(ORDER.argv),
    )


def test_an_order_does_not_show_its_secrets() -> None:
    for hidden in ("a-secret-value", "the-key-itself", "prompt"):
        assert hidden not in repr(ORDER)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"v": 2}', b'{"v": 1, "x": "a-secret-value"}'])
def test_what_is_no_order_is_refused_without_quoting_it(content: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        Order.from_bytes(content)
    assert "a-secret-value" not in str(caught.value)


def test_relative_paths_are_refused() -> None:
    body = json.loads(ORDER.as_bytes()) | {"cwd": "work"}
    with pytest.raises(ValueError, match="relative"):
        Order.from_bytes(json.dumps(body).encode())


@pytest.mark.parametrize("change", [{"walled": False}, {"walled": True, "proxy": {"upstream": "http://a", "key": "k"}}])
def test_a_way_out_takes_a_wall_and_is_the_only_one(change: dict[str, Any]) -> None:
    body = json.loads(ORDER.as_bytes()) | {"proxy": None, "walled": True, "egress": {"hosts": ["a.org"]}}
    assert Order.from_bytes(json.dumps(body).encode()).egress is not None
    with pytest.raises(ValueError, match="way out"):
        Order.from_bytes(json.dumps(body | change).encode())
