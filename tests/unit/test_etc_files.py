"""A container's /etc/hosts, /etc/resolv.conf and /etc/hostname."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.container import etc_files
from minirun.errors import UsageError
from minirun.spec import Mount
from tests.needs import needs


def resolve(host: str, *dns: str, search: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> list[str]:
    """The lines of the container's resolv.conf."""
    return etc_files.resolv_conf(host, dns, search, options).splitlines()


def test_hosts() -> None:
    """localhost, what was asked for, and the container itself, the full name first."""
    text = etc_files.hosts(["db:10.0.0.7", "six=[fd00::7]"], "10.88.0.1")
    text += etc_files.own_lines("web", "example.org", ["10.88.0.2", "fd00::2"])
    assert text.startswith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost")
    assert text.splitlines()[-4:] == [
        "10.0.0.7\tdb",
        "fd00::7\tsix",
        "10.88.0.2\tweb.example.org web",
        "fd00::2\tweb.example.org web",
    ]


def test_host_gateway() -> None:
    """The host under a name of one's choice; without a network there is no such address."""
    assert "10.88.0.1\thost\n" in etc_files.hosts(["host:host-gateway"], "10.88.0.1")
    with pytest.raises(UsageError, match="on no network"):
        etc_files.hosts(["host:host-gateway"], "")


def test_on_the_hosts_network() -> None:
    """The host's own file is the beginning, whether or not its last line ends."""
    assert etc_files.hosts(["a:1.1.1.1"], "", base="10.0.0.1 x") == "10.0.0.1 x\n1.1.1.1\ta\n"


@pytest.mark.parametrize(
    "text", ["", "db", "db:", ":1.2.3.4", "db:1.2.3", "a b:1.2.3.4", "a\nb:1.2.3.4", "a#b:1.2.3.4", "db:host"]
)
def test_an_add_host_that_cannot_be(text: str) -> None:
    """Refused, not written."""
    with pytest.raises(UsageError, match="--add-host"):
        etc_files.check_add_host([text])


@pytest.mark.parametrize(
    "text", ["db:1.2.3.4", "db=1.2.3.4", "db:::1", "db=::1", "db:[::1]", "h:host-gateway"]
)
def test_an_add_host_that_can(text: str) -> None:
    """docker's spellings."""
    etc_files.check_add_host([text])


def test_a_hostname_stays_one_word() -> None:
    """Or it would write lines of its own."""
    with pytest.raises(UsageError, match="hostname"):
        etc_files.check_hostname("a\n1.2.3.4 evil", "")


@given(st.text(), st.text(), st.ip_addresses())
def test_one_line_each(hostname: str, name: str, address: object) -> None:
    """Whatever a name is, it is refused or has its own line."""
    try:
        etc_files.check_hostname(hostname, "")
        text = etc_files.hosts([f"{name}:{address}"], "") + etc_files.own_lines(hostname, "org", ["10.0.0.2"])
    except UsageError:
        return
    assert text.count("\n") == len(text.splitlines()) == etc_files.LOCALHOST.count("\n") + 1 + bool(hostname)
    assert len(text.splitlines()[-1].split()) == 2 + bool(hostname)


HOST = """\
# a comment
domain old.example
nameserver 127.0.0.53
nameserver ::1
nameserver 127.1.2.3
nameserver fe80::1%eth0
nameserver 10.0.0.53
nameserver fd00::53
search example.org example.com
options ndots:2
options edns0 trust-ad
"""


def test_loopback_resolvers_are_left_out() -> None:
    """A container's loopback is another; an address with a zone belongs to an interface of the host's."""
    assert resolve(HOST) == [
        "nameserver 10.0.0.53",
        "nameserver fd00::53",
        "search example.org example.com",
        "options ndots:2 edns0 trust-ad",
    ]


def test_on_the_hosts_network_they_stay() -> None:
    """There the loopback is the same."""
    assert "nameserver 127.0.0.53" in etc_files.resolv_conf(HOST, (), (), (), loopback=True)


def test_what_was_asked_for_comes_instead() -> None:
    """Each of the three on its own; what was asked for is not judged."""
    assert resolve(HOST, "127.0.0.1")[0] == "nameserver 127.0.0.1"
    assert resolve(HOST, "1.1.1.1", search=("a.b",), options=("rotate",)) == [
        "nameserver 1.1.1.1",
        "search a.b",
        "options rotate",
    ]
    assert resolve(HOST, "1.1.1.1")[1] == "search example.org example.com"


def test_search_dot_clears() -> None:
    """No domain at all."""
    assert not any(line.startswith("search") for line in resolve(HOST, search=(".",)))


@pytest.mark.parametrize("host", ["", "nameserver 127.0.0.1\n", "nameserver\nnameserver rubbish\n"])
def test_none_is_left(host: str) -> None:
    """Public ones, and the file says so."""
    first, *rest = resolve(host)
    assert first.startswith("# ")
    assert rest == ["nameserver 8.8.8.8", "nameserver 8.8.4.4"]


def test_resolved_knows_the_servers_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host's file names only systemd-resolved, its own list is read."""
    stub, real = tmp_path / "stub", tmp_path / "real"
    monkeypatch.setattr(etc_files, "_RESOLV_CONF", str(stub))
    monkeypatch.setattr(etc_files, "_RESOLVED", str(real))
    assert etc_files.host_resolv_conf() == ""
    stub.write_text("nameserver 127.0.0.53\n")
    assert etc_files.host_resolv_conf() == "nameserver 127.0.0.53\n"
    real.write_text("nameserver 10.0.0.53\n")
    assert etc_files.host_resolv_conf() == "nameserver 10.0.0.53\n"
    stub.write_text("nameserver 10.1.1.1\n")
    assert etc_files.host_resolv_conf() == "nameserver 10.1.1.1\n"


@pytest.mark.parametrize(
    ("dns", "search", "options"),
    [
        (["ns.example.org"], [], []),
        (["fe80::1%eth0"], [], []),
        ([""], [], []),
        ([], ["a b"], []),
        ([], ["a\nnameserver 6.6.6.6"], []),
        ([], [""], []),
        ([], [".", "example.org"], []),
        ([], [], ["ndots:2 rotate"]),
        ([], [], ["#"]),
    ],
)
def test_dns_that_cannot_be(dns: list[str], search: list[str], options: list[str]) -> None:
    """Refused, not written."""
    with pytest.raises(UsageError, match="--dns"):
        etc_files.check_dns(dns, search, options)


def test_dns_that_can() -> None:
    """Addresses of both kinds, words, and a dot alone."""
    etc_files.check_dns(["1.1.1.1", "fd00::53"], ["example.org"], ["ndots:2"])
    etc_files.check_dns([], ["."], [])


def test_the_files_are_for_all_to_read(tmp_path: Path) -> None:
    """Whatever the umask; and a second start writes into the same files."""
    wanted = {"hosts": "127.0.0.1\tlocalhost\n", "resolv.conf": "nameserver 1.1.1.1\n", "hostname": "web\n"}
    umask = os.umask(0o077)
    try:
        etc_files.write(str(tmp_path), {**wanted, "hosts": "127.0.0.1\tlocalhost and more\n"})
        inode = (tmp_path / "hosts").stat().st_ino
        etc_files.write(str(tmp_path), wanted)
    finally:
        os.umask(umask)
    assert {name: (tmp_path / name).read_text() for name in wanted} == wanted
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in wanted} == {0o644}
    assert (tmp_path / "hosts").stat().st_ino == inode


@needs("root")
def test_the_files_are_the_containers_roots_own(tmp_path: Path) -> None:
    """In a user namespace root is another user of the host's, and may write to its hosts file."""
    etc_files.write(str(tmp_path), {"hosts": ""}, owner=200000)
    assert ((tmp_path / "hosts").stat().st_uid, (tmp_path / "hosts").stat().st_gid) == (200000, 200000)


def test_mounts() -> None:
    """Three binds of single files, but not where the user mounts something himself."""
    hosts, *_ = etc_files.mounts("/state/x", ())
    assert hosts == Mount(
        destination="/etc/hosts", type="bind", source="/state/x/hosts", options=("bind", "rprivate", "rw")
    )
    left = etc_files.mounts("/state/x", ["/etc//hosts/", "/etc/hostname"], readonly=True)
    assert [(mount.destination, mount.options[-1]) for mount in left] == [("/etc/resolv.conf", "ro")]
