"""Which hosts a build may reach, and how its programs are told."""

from collections.abc import Mapping

import pytest

from moonmind.adapters.environments.registries import HOSTS, proxy_variables, registry_variables, way_out

URL = "http://127.0.0.1:8484"


@pytest.mark.parametrize("ecosystem", sorted(HOSTS))
def test_a_build_reaches_the_registries_of_its_own_packages(ecosystem: str) -> None:
    found = way_out([ecosystem], [], {})
    assert found.hosts == HOSTS[ecosystem]
    assert found.local == (), "none of them has an address of this network"


def test_a_build_of_no_known_packages_reaches_nothing() -> None:
    assert way_out(["cobol"], [], {}).hosts == ()


@pytest.mark.parametrize(
    ("ambient", "hosts"),
    [
        ({"PIP_INDEX_URL": "https://packages.example.org/simple"}, ["packages.example.org:443"]),
        (
            {"PIP_EXTRA_INDEX_URL": "http://a.example.org:8080/s https://b.example.org/s"},
            ["a.example.org:8080", "b.example.org:443"],
        ),
        ({"UV_INDEX": "own=https://user:word@uv.example.org/simple"}, ["uv.example.org:443"]),
        ({"npm_config_registry": "http://127.0.0.1:4873/"}, ["127.0.0.1:4873"]),
        ({"GOPROXY": "https://go.example.org|direct"}, ["go.example.org:443"]),
        (
            {"GOPROXY": "https://one.example.org,https://two.example.org,off"},
            ["one.example.org:443", "two.example.org:443"],
        ),
        ({"PIP_INDEX_URL": "file:///srv/wheels"}, []),
        ({"DATABASE_URL": "https://db.example.org"}, []),
    ],
)
def test_registries_that_the_operator_named_are_reached_wherever_they_are(
    ambient: Mapping[str, str], hosts: list[str]
) -> None:
    found = way_out([], ["cache.example.org"], ambient)
    assert found.hosts == found.local == ("cache.example.org", *hosts)


@pytest.mark.parametrize(
    ("ambient", "upstream", "direct"),
    [
        ({}, "", ()),
        (
            {"HTTPS_PROXY": "http://user:word@proxy:3128", "NO_PROXY": ".corp, localhost"},
            "http://user:word@proxy:3128",
            (".corp", "localhost"),
        ),
        ({"https_proxy": "http://one:1", "HTTPS_PROXY": "http://two:2"}, "http://one:1", ()),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "", ()),
    ],
)
def test_the_networks_own_proxy_is_passed(ambient: Mapping[str, str], upstream: str, direct: tuple[str, ...]) -> None:
    found = way_out(["pypi"], [], ambient)
    assert (found.upstream, found.direct) == (upstream, direct)


@pytest.mark.parametrize(
    ("hosts", "exempt"),
    [(["pypi.example.org"], True), (["localhost:8080"], False), (["127.0.0.1"], False), (["127.0.0.1:8080"], False)],
)
def test_what_a_setup_starts_is_reached_directly_unless_a_registry_is_on_this_machine(
    hosts: list[str], exempt: bool
) -> None:
    found = proxy_variables(URL, way_out([], hosts, {}))
    assert {found[name] for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")} == {URL}
    assert ("no_proxy" in found) is exempt


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://u:p@pypi.example.org/simple", "https://pypi.example.org/simple"),
        ("own=https://u:p@uv.example.org/s", "own=https://uv.example.org/s"),
        ("https://u:p@a.example.org/s https://t@b.example.org/s", "https://a.example.org/s https://b.example.org/s"),
        ("https://u:p@w@go.example.org|direct", "https://go.example.org|direct"),
        ("https://plain.example.org/a@b", None),
        ("https://u:p/w@h.example.org/s", None),
        ("https://u:p,w@h.example.org/s", None),
        ("//u:p@h.example.org/s", None),
        ("u:p@h.example.org", None),
    ],
)
def test_logins_of_registries_are_kept_back_unless_they_are_named(value: str, shown: str | None) -> None:
    ambient = {"PIP_INDEX_URL": value}
    assert registry_variables(ambient, []) == ({"PIP_INDEX_URL": shown} if shown else {})
    assert registry_variables(ambient, ["PIP_INDEX_URL"]) == ambient


@pytest.mark.parametrize(
    ("ambient", "hosts", "upstream"),
    [
        ({"PIP_INDEX_URL": "http://[::1]:8080/simple"}, ("[::1]:8080",), ""),
        ({"PIP_INDEX_URL": "http://a.example.org:port/"}, (), ""),
        ({"HTTPS_PROXY": "proxy:3128"}, (), "http://proxy:3128"),
    ],
)
def test_odd_addresses_are_read_as_programs_read_them(
    ambient: Mapping[str, str], hosts: tuple[str, ...], upstream: str
) -> None:
    found = way_out([], [], ambient)
    assert (found.hosts, found.upstream) == (hosts, upstream)
