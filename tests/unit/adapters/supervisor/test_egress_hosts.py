from ipaddress import ip_address

import pytest

from moonmind.adapters.supervisor.egress_hosts import Bypass, HostList, is_public, may_be_public, target_of


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org:443", "example.org", 443),
        ("EXAMPLE.Org.:443", "example.org", 443),
        ("xn--exmple-cua.org:1", "xn--exmple-cua.org", 1),
        ("a_b-c.1x:65535", "a_b-c.1x", 65535),
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("[2001:DB8:0::1]:80", "2001:db8::1", 80),
        ("[::1]", "::1", 7),
        ("example.org", "example.org", 7),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str, port: int) -> None:
    target = target_of(text, default=7)
    assert (target.host, target.port) == (host, port)
    assert target_of(str(target)) == target


ODD = [
    "", ".", "..", "a..b", ".example.org", "example.org..", "-a.org", "a-.org", "a" * 64 + ".org", "a." * 127 + "org",
    "exämple.org", "example。org", "\N{KELVIN SIGN}.org", "ｅxample.org", "example.org\0", "exa mple.org", "example.org\t",
    "example.org\n", "\rexample.org", "user@example.org", "user:pass@example.org", "example.org%00", "%65xample.org",
    "example.org/", "example.org?", "example.org#", "example.org\\", "example,org", "*.example.org", "*", "<a>",
    "127.1", "127.0.1", "2130706433", "0", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "0177.0.0.1", "127.0.0.01", "127.0.0.0x1",
    "127.0.0.1.", "127.0.0.256", "1.2.3.4.5", "example.1", "example.0x", "a.0xff", "1.", "127.0.0.٠",
    "[::1", "::1]", "[::1]x", "[]", "[::1%eth0]", "[fe80::1%25eth0]", "[fe80::1%1]", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]",
    "[127.0.0.1]", "[v1.a]", "[::1]]", "[[::1]]", "[ ::1]", "[1:2:3:4:5:6:7:8:9]", "::1",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("port", ["", ":443"])
def test_odd_spellings_are_no_hosts(text: str, port: str) -> None:
    with pytest.raises(ValueError) as caught:
        target_of(text + port, default=80)
    assert not text or len(text) < 3 or text not in str(caught.value)


@pytest.mark.parametrize(
    "port",
    ["", "0", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "65536", "99999", "100000", "80:80", "x", "８０", "1e1"],
)
@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "[::1]"])
def test_odd_ports_are_no_ports(host: str, port: str) -> None:
    with pytest.raises(ValueError):
        target_of(f"{host}:{port}", default=80)


def test_a_port_is_wanted_where_none_is_meant() -> None:
    with pytest.raises(ValueError, match="port"):
        target_of("example.org")


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "172.32.0.1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "::127.0.0.1", "::1.1.1.1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:101:101::", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "::ffff:0:127.0.0.1", "4000::1",
    ],
)  # fmt: skip
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("text", "may"),
    [("example.org", True), ("1.1.1.1", True), ("localhost", False), ("a.LOCALHOST.", False), ("mylocalhost", True),
     ("10.0.0.1", False), ("[::1]", False), ("[2606:4700::1111]", True)],
)  # fmt: skip
def test_some_hosts_are_private_by_their_writing(text: str, may: bool) -> None:
    assert may_be_public(target_of(text, 80)) is may


@pytest.mark.parametrize(
    ("listed", "asked", "holds"),
    [
        ("example.org", "example.org:443", True),
        ("example.org", "example.org:80", True),
        ("Example.ORG.", "EXAMPLE.org.:80", True),
        ("example.org", "example.org:8080", False),
        ("example.org:8080", "example.org:8080", True),
        ("example.org:8080", "example.org:443", False),
        ("example.org", "a.example.org:443", False),
        ("example.org", "badexample.org:443", False),
        ("example.org", "example.org.evil:443", False),
        ("*.example.org", "a.example.org:443", True),
        ("*.example.org", "a.b.example.org:80", True),
        ("*.example.org", "example.org:443", False),
        ("*.example.org", "badexample.org:443", False),
        ("*.example.org", "a.example.org:8080", False),
        ("*.example.org:8080", "a.example.org:8080", True),
        ("*.example.org:8080", "a.example.org:80", False),
        ("10.0.0.1:8080", "10.0.0.1:8080", True),
        ("[::1]", "[0:0::1]:443", True),
        ("[::1]:1", "[::1]:1", True),
    ],
)
def test_a_list_holds_what_it_says(listed: str, asked: str, holds: bool) -> None:
    assert HostList(("other.net", listed)).holds(target_of(asked)) is holds


@pytest.mark.parametrize("entry", ["*", "*.", "*.*", "*.10.0.0.1", "*.[::1]", "a.*.org", "https://a.org", "a.org/x", "a:0", "10.0.0.0/8", "", " a"])  # fmt: skip
def test_an_entry_that_could_mean_anything_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        HostList((entry,))


@pytest.mark.parametrize(
    ("listed", "asked", "holds"),
    [
        ("*", "example.org:443", True),
        ("*", "10.0.0.1:443", True),
        ("example.org", "example.org:443", True),
        ("example.org", "a.example.org:443", True),
        (".example.org", "a.example.org:443", True),
        (" .Example.org ", "example.org:443", True),
        ("*.example.org", "a.example.org:443", True),
        ("example.org", "badexample.org:443", False),
        ("example.org:8080", "example.org:8080", True),
        ("example.org:8080", "a.example.org:8080", True),
        ("example.org:8080", "example.org:443", False),
        ("10.0.0.1", "10.0.0.1:80", True),
        ("10.0.0.0/8", "10.1.2.3:80", True),
        ("10.0.0.0/8", "11.1.2.3:80", False),
        ("0.0.1", "10.0.0.1:80", False),
        ("::1", "[::1]:80", True),
        ("[::1]:80", "[::1]:80", True),
        ("fd00::/8", "[fd12::1]:80", True),
        ("x/y", "10.0.0.1:80", False),
        ("", "example.org:443", False),
        (".", "example.org:443", False),
        (":443", "example.org:443", False),
        ("<local>", "example.org:443", False),
    ],
)
def test_hosts_are_reached_directly_as_no_proxy_says(listed: str, asked: str, holds: bool) -> None:
    assert Bypass((listed,)).holds(target_of(asked)) is holds
