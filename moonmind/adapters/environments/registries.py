"""Which hosts a build may reach: the registries of its ecosystems, those that the operator's settings name, and no other."""

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from moonmind.adapters.supervisor.order import Egress

HOSTS: Mapping[str, tuple[str, ...]] = {
    "pypi": ("pypi.org", "files.pythonhosted.org"),
    "npm": ("registry.npmjs.org", "registry.yarnpkg.com", "repo.yarnpkg.com"),
    "go": ("proxy.golang.org", "sum.golang.org"),
    "crates": ("index.crates.io", "static.crates.io", "crates.io"),
    "maven": ("repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org", "services.gradle.org"),
}
"""By ecosystem; what their own programs ask where nobody configured another one."""

VARIABLES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX",
    "UV_EXTRA_INDEX_URL", "UV_INSECURE_HOST", "PDM_PYPI_URL", "npm_config_registry", "NPM_CONFIG_REGISTRY",
    "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER", "BUN_CONFIG_REGISTRY", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK",
    "GOPRIVATE", "GONOPROXY",
)  # fmt: skip
"""The worker's own variables of these names tell the programs of a build which registries to ask."""

CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables that name a file of certificates."""

_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_LOGIN = re.compile(r"(\w://)[^/\s,|]*@")
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})


def way_out(ecosystems: Iterable[str], named: Iterable[str], ambient: Mapping[str, str]) -> Egress:
    """Return what a build of these ecosystems may reach; `named` are the operator's hosts, `ambient` the worker's environment.

    Only hosts that an operator named, there or as a registry, may lie in private networks or on this machine.
    """
    public = [host for name in ecosystems for host in HOSTS.get(name, ())]
    operators = [*named, *_registries(ambient)]
    proxies = (ambient[name] for name in _PROXIES if ambient.get(name))
    upstream = next((proxy for proxy in proxies if not proxy.startswith("socks")), "")
    if upstream and "://" not in upstream:
        upstream = f"http://{upstream}"
    direct = ambient.get("no_proxy") or ambient.get("NO_PROXY") or ""
    return Egress(
        hosts=tuple(dict.fromkeys((*public, *operators))),
        local=tuple(dict.fromkeys(operators)),
        upstream=upstream,
        direct=tuple(part.strip() for part in direct.split(",") if part.strip()),
    )


def registry_variables(ambient: Mapping[str, str], named: Collection[str]) -> dict[str, str]:
    """Return the worker's variables of registries, without user and password in their addresses unless the operator named them.

    One of which it is not certain that the login is gone is left out.
    """
    found = {name: ambient[name] for name in VARIABLES if ambient.get(name)}
    shown = {name: value if name in named else _LOGIN.sub(r"\1", value) for name, value in found.items()}
    return {name: value for name, value in shown.items() if name in named or "@" not in value}


def proxy_variables(url: str, egress: Egress) -> dict[str, str]:
    """Return the variables by which the programs of a build find the way out."""
    found = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), url)
    if not any(host.rpartition(":")[0] in _OWN or host in _OWN for host in egress.hosts):
        # Services that the setup starts are behind the same wall; a registry of this machine is not.
        found |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
    return found


def _registries(ambient: Mapping[str, str]) -> list[str]:
    """Return the hosts, with ports, in the addresses that the variables of registries hold."""
    found = []
    for name in VARIABLES:
        for word in ambient.get(name, "").replace(",", " ").replace("|", " ").split():
            # uv writes `name=https://...`.
            _, _, address = word.rpartition("=") if "://" in word and not word.startswith("http") else ("", "", word)
            try:
                parts = urlsplit(address)
                _ = parts.port
            except ValueError:
                continue  # no address; the program that is given it will say so
            if parts.scheme in ("http", "https") and parts.hostname:
                host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
                found.append(f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    return found
