"""What a job in `bubblewrap` sees of the host's system, all of it read-only; whatever is not listed is not there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives", "bash.bashrc", "ca-certificates.conf", "crypto-policies", "debian_version", "fonts", "gai.conf",
    "host.conf", "inputrc", "java*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf",
    "localtime", "lsb-release", "magic", "magic.mime", "mailcap", "maven", "mime.types", "netconfig", "networks",
    "os-release", "perl", "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "pki/tls/openssl.cnf", "profile",
    "profile.d", "protocols", "python3*", "redhat-release", "rpc", "services", "shells", "ssl/cert.pem", "ssl/certs",
    "ssl/openssl.cnf", "terminfo", "timezone", "xdg", "xml",
)  # fmt: skip
"""What programs need of /etc. No passwords, keys, hosts or networks of this host: those files are made for the job."""
_ANSWERS = (
    "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags",
    "latency_stats", "pagetypeinfo", "sched_debug", "slabinfo", "timer_list", "timer_stats", "vmallocinfo",
)  # fmt: skip
"""Files of /proc that tell about the whole host or its kernel's memory; root may read them without a capability."""
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH

_COPIED = 1 << 20
"""Files of up to so many bytes are copied: each mount costs time, and there are many small ones."""

Options = Iterator[str]
"""Arguments of bwrap."""


def system() -> Options:
    """Show programs, libraries and the folders of their settings. Links stay links."""
    for path in (*map(Path, _FOLDERS), *_settings()):
        if path.is_symlink() and path.exists():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir() or (path.is_file() and path.stat().st_size > _COPIED):
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--symlink", "/proc/self/mounts", "/etc/mtab")


def copied() -> Iterator[Path]:
    """List the settings that are small files of their own."""
    for path in _settings():
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _COPIED and os.access(path, os.R_OK):
            yield path


def _settings() -> Iterator[Path]:
    for pattern in _ETC:
        yield from sorted(Path("/etc").glob(pattern))


def processes() -> Options:
    """Show the job's own processes, and nothing through which the kernel could be set.

    The kernel lets root write settings without any capability, and bwrap leaves them writable to root: it asks whether
    /proc/sys itself can be written, and that is never so.
    """
    yield from ("--proc", "/proc")
    for entry in sorted(os.scandir("/proc"), key=lambda found: found.name):
        if entry.name.isdigit() or entry.is_symlink():
            continue
        if entry.name in _ANSWERS:
            yield from ("--ro-bind", os.devnull, entry.path)
        elif entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_mode & _WRITABLE:
            yield from ("--ro-bind", entry.path, entry.path)


def accounts(uid: int, gid: int, home: str) -> dict[str, str]:
    """Return the files of /etc that are made for a job, by path: one user, no network."""
    me = "root" if uid == 0 else "job"
    others = {"root": (0, 0), "nobody": (65534, 65534)}
    users = [f"{me}:x:{uid}:{gid}:{me}:{home}:/bin/sh"]
    groups = [f"{me}:x:{gid}:"]
    for name, (user, group) in others.items():
        if name != me and user != uid:
            users.append(f"{name}:x:{user}:{group}:{name}:/:/usr/sbin/nologin")
        if name != me and group != gid:
            groups.append(f"{name}:x:{group}:")
    return {
        "/etc/passwd": _lines(*users),
        "/etc/group": _lines(*groups),
        "/etc/hostname": _lines(HOSTNAME),
        "/etc/hosts": _lines(f"127.0.0.1 localhost {HOSTNAME}", f"::1 localhost {HOSTNAME}"),
        "/etc/nsswitch.conf": _lines(
            "passwd: files", "group: files", "shadow: files", "hosts: files", "services: files", "protocols: files"
        ),
        "/etc/resolv.conf": _lines("# A job has no network."),
    }


HOSTNAME = "job"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
