"""The routes of artifacts."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from moonmind.runtime.container import Container

Keep = Callable[..., None]
LOG = b"".join(b'{"line": %d}\n' % number for number in range(20))


@pytest.fixture
def place(run_id: UUID, keep: Keep) -> str:
    keep(run_id, "codex/attempt-1.jsonl", LOG, "application/x-ndjson", growing=True)
    keep(run_id, "apply/change.patch", b"diff --git a/x b/x\n", "text/x-patch")
    keep(run_id, "page.html", b"<script>alert(1)</script>", "text/html; charset=utf-8")
    keep(run_id, "image.svg", b"<svg/>", "image/svg+xml")
    keep(run_id, "empty.txt", b"", "text/plain")
    keep(run_id, 'odd/na"me;ü.txt', b"x", "text/plain")
    return f"/api/workflows/speckit/runs/{run_id}/artifacts"


def test_artifacts_are_listed_with_their_sizes_unless_they_grow(client: TestClient, place: str) -> None:
    listed = {artifact["path"]: artifact["sizeBytes"] for artifact in client.get(place).json()}
    assert listed["codex/attempt-1.jsonl"] is None
    assert listed["apply/change.patch"] == 19


def test_a_file_is_sent_whole_as_an_attachment(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/codex/attempt-1.jsonl")
    assert (answer.status_code, answer.content) == (200, LOG)
    assert answer.headers["content-length"] == str(len(LOG))
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''attempt-1.jsonl"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-artifact-growing"] == "true"
    assert client.get(f"{place}/apply/change.patch").headers["x-artifact-growing"] == "false"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("apply/change.patch", "text/plain; charset=utf-8"),
        ("page.html", "text/plain; charset=utf-8"),
        ("image.svg", "application/octet-stream"),
    ],
)
def test_nothing_is_sent_as_something_a_browser_runs(client: TestClient, place: str, path: str, sent: str) -> None:
    assert client.get(f"{place}/{path}").headers["content-type"] == sent


def test_a_name_cannot_break_out_of_its_header(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/odd/na%22me%3B%C3%BC.txt")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''na%22me%3B%C3%BC.txt"


def test_a_range_is_sent_in_part(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/codex/attempt-1.jsonl", headers={"Range": "bytes=10-24"})
    assert (answer.status_code, answer.content) == (206, LOG[10:25])
    assert answer.headers["content-range"] == f"bytes 10-24/{len(LOG)}"
    assert answer.headers["content-length"] == "15"


def test_a_growing_log_is_followed_by_ranges(client: TestClient, keep: Keep, run_id: UUID, place: str) -> None:
    address, have = f"{place}/codex/attempt-1.jsonl", len(LOG)
    nothing_yet = client.get(address, headers={"Range": f"bytes={have}-"})
    keep(run_id, "codex/attempt-1.jsonl", LOG + b"more\n", "application/x-ndjson")
    more = client.get(address, headers={"Range": f"bytes={have}-"})
    assert (nothing_yet.status_code, nothing_yet.json()["code"]) == (416, "range_not_satisfiable")
    assert nothing_yet.headers["content-range"] == f"bytes */{have}"
    assert (more.status_code, more.content) == (206, b"more\n")
    assert more.headers["x-artifact-growing"] == "false"


def test_a_log_that_grows_meanwhile_does_not_outgrow_what_was_announced(
    client: TestClient, run_id: UUID, container: Container, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(header: str | None, size: int) -> None:
        with (container.settings.artifact_root / str(run_id) / "codex/attempt-1.jsonl").open("ab") as log:
            log.write(b"more\n")

    monkeypatch.setattr("api_service.routes.artifacts.read_range", measured)  # called between the two looks
    answer = client.get(f"{place}/codex/attempt-1.jsonl")
    assert (answer.content, answer.headers["content-length"]) == (LOG, str(len(LOG)))


def test_an_empty_file_is_sent_and_has_no_ranges(client: TestClient, place: str) -> None:
    assert client.get(f"{place}/empty.txt").content == b""
    assert client.get(f"{place}/empty.txt", headers={"Range": "bytes=0-"}).status_code == 416


@pytest.mark.parametrize("path", ["nothing", "..%2F..%2Fetc%2Fpasswd", "apply/change.patch%00", "apply"])
def test_only_listed_paths_exist(client: TestClient, place: str, path: str) -> None:
    answer = client.get(f"{place}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_a_file_is_listed_as_is_what_it_is_sent_as(client: TestClient, place: str) -> None:
    for artifact in client.get(place).json():
        answer = client.head(f"{place}/{artifact['path']}")
        assert answer.headers["content-type"] == artifact["contentType"]


def test_the_headers_can_be_asked_for_alone(client: TestClient, place: str) -> None:
    address = f"{place}/codex/attempt-1.jsonl"
    asked, sent = client.head(address), client.get(address)
    assert (asked.status_code, asked.content) == (200, b"")
    names = ("content-length", "content-type", "x-artifact-growing", "content-disposition", "accept-ranges")
    assert {name: asked.headers[name] for name in names} == {name: sent.headers[name] for name in names}
    part = client.head(address, headers={"Range": "bytes=10-24"})
    assert (part.status_code, part.headers["content-length"]) == (206, "15")
    assert client.head(f"{place}/nothing").status_code == 404
