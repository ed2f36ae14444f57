"""CNI: what is read from configurations and answers, and what is refused. No plugin runs here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import InvalidInput, NotFound, Unsupported, one_line
from minirun.network import cni
from minirun.network.cni import result, runtime, versions
from minirun.network.cni.attachment import check_names
from minirun.network.cni.config import is_name
from minirun.network.cni.plugin import check_args
from minirun.spec import Port

LIST: dict[str, Any] = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}]}


def write(directory: Path, name: str, content: Any) -> str:
    """A configuration file; its path."""
    path = directory / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_list_is_read_with_what_belongs_to_the_plugins(tmp_path: Path) -> None:
    """Fields that minirun does not know are kept for the plugin."""
    plugin = {
        "type": "bridge",
        "bridge": "cni0",
        "capabilities": {"ips": True},
        "ipam": {"type": "host-local"},
    }
    path = write(tmp_path, "10-x.conflist", {**LIST, "plugins": [plugin, {"type": "portmap"}]})
    config = cni.load("pods", str(tmp_path))
    assert [one.type for one in config.plugins] == ["bridge", "portmap"]
    assert config.plugins[0].object == plugin
    assert config.plugins[0].capabilities == {"ips": True}
    assert (config.versions, config.path, config.disableCheck) == (("1.0.0",), path, False)


@pytest.mark.parametrize("ending", [".conf", ".json"])
def test_a_single_plugin_is_a_list_of_one(tmp_path: Path, ending: str) -> None:
    """NAME.conf, as it was before there were lists."""
    write(tmp_path, "x" + ending, {"cniVersion": "0.3.1", "name": "lo", "type": "loopback"})
    config = cni.load("lo", str(tmp_path))
    assert [plugin.type for plugin in config.plugins] == ["loopback"]
    assert config.versions == ("0.3.1",)


def test_plugins_may_have_files_of_their_own(tmp_path: Path) -> None:
    """DIRECTORY/NAME/*.conf come after the list, unless it forbids that."""
    (tmp_path / "pods").mkdir()
    write(tmp_path / "pods", "2.conf", {"type": "two"})
    write(tmp_path / "pods", "1.conf", {"type": "one"})
    write(tmp_path, "a.conflist", LIST)
    assert [one.type for one in cni.load("pods", str(tmp_path)).plugins] == ["bridge", "one", "two"]
    write(tmp_path, "a.conflist", {**LIST, "loadOnlyInlinedPlugins": True})
    assert [one.type for one in cni.load("pods", str(tmp_path)).plugins] == ["bridge"]


@pytest.mark.parametrize("value", [True, "true", "TRUE"])
def test_a_switch_may_be_a_word(tmp_path: Path, value: bool | str) -> None:
    """The specification has it so."""
    write(tmp_path, "a.conflist", {**LIST, "disableCheck": value, "disableGC": value})
    config = cni.load("pods", str(tmp_path))
    assert config.disableCheck and config.disableGC


def test_a_broken_file_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    """Half a file in the directory takes no other network away."""
    broken = write(tmp_path, "1.conflist", '{"name": "pods", ')
    write(tmp_path, "2.conflist", LIST)
    write(tmp_path, "3.txt", "not looked at")
    found, errors = cni.configs(str(tmp_path))
    assert [config.name for config in found] == ["pods"]
    assert [error.what for error in errors] == [f"{broken} is not JSON"]
    assert cni.load("pods", str(tmp_path)).name == "pods"


def test_an_unknown_network_tells_those_that_there_are(tmp_path: Path) -> None:
    """And the file that may have been meant."""
    write(tmp_path, "1.conflist", "{")
    write(tmp_path, "2.conflist", LIST)
    with pytest.raises(NotFound) as caught:
        cni.load("web", str(tmp_path))
    assert "pods" in caught.value.why
    assert "1.conflist is not JSON" in caught.value.why
    with pytest.raises(NotFound, match="no CNI network web"):
        cni.load("web", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"plugins": [{"type": 5}]}, "`$.plugins[0].type`"),
        ({"plugins": [{"bridge": "cni0"}]}, "missing required field `type`"),
        ({"plugins": {"type": "bridge"}}, "`$.plugins`"),
        ({"plugins": []}, "`$.plugins`"),
        ({"plugins": [{"type": "../../bin/sh"}]}, "no file name"),
        ({"plugins": [{"type": ""}]}, "no file name"),
        ({"plugins": [{"type": "a", "capabilities": {"ips": "yes"}}]}, "`$.plugins[0].capabilities[...]`"),
        ({"name": "../pods"}, "'../pods'"),
        ({"name": 1}, "`$.name`"),
        ({"disableCheck": "perhaps"}, "`$.disableCheck`"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """With the file and the way to the field."""
    path = write(tmp_path, "a.conflist", {**LIST, **change})
    _, (error,) = cni.configs(str(tmp_path))
    assert isinstance(error, InvalidInput)
    assert path in error.what
    assert told in error.why


def test_what_is_no_configuration_file(tmp_path: Path) -> None:
    """A list under the name of a single plugin, a pipe, a huge file, rubbish."""
    write(tmp_path, "a.conf", LIST)
    os.mkfifo(tmp_path / "b.conflist")
    write(tmp_path, "c.conflist", " " * (1 << 20) + "{}")
    (tmp_path / "d.conflist").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "e.conflist").mkdir()
    found, errors = cni.configs(str(tmp_path))
    assert found == []
    assert [
        Path(error.what.split()[-1] if "cannot" in error.what else error.what.split()[0]).name
        for error in errors
    ] == [
        "a.conf",
        "b.conflist",
        "c.conflist",
        "d.conflist",
    ]
    assert errors[0].remedy == "call it .conflist"


def test_the_environment_names_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NETCONFPATH, where the caller names none."""
    write(tmp_path, "a.conflist", LIST)
    monkeypatch.setenv("NETCONFPATH", str(tmp_path))
    assert cni.load("pods").path == str(tmp_path / "a.conflist")


def test_of_several_versions_the_highest_known_is_first() -> None:
    """One from the future is passed over, if there is another."""
    assert versions.usable("1.0.0", ("2.0.0", "1.1.0", "0.4.0"), "f") == ("1.1.0", "1.0.0", "0.4.0")
    assert versions.usable("", (), "f") == ("0.1.0",)
    assert versions.usable("", ("1.1.0",), "f") == ("1.1.0",)
    with pytest.raises(Unsupported, match=r"9\.9\.9"):
        versions.usable("9.9.9", (), "f")


def test_a_version_in_common() -> None:
    """Each plugin says what it speaks; without one for all, each is named."""
    offers = {"bridge": ("0.4.0", "1.0.0"), "firewall": ("0.4.0", "1.0.0", "1.1.0")}
    assert versions.agreed(("1.1.0", "1.0.0", "0.4.0"), offers, "net") == "1.0.0"
    with pytest.raises(Unsupported) as caught:
        versions.agreed(("1.1.0",), offers, "net")
    assert "bridge speaks 0.4.0, 1.0.0" in caught.value.why


def config_with(tmp_path: Path, *plugins: dict[str, Any]) -> cni.NetworkConfig:
    """A network of these plugins."""
    write(tmp_path, "a.conflist", {**LIST, "plugins": list(plugins)})
    return cni.load("pods", str(tmp_path))


def test_only_who_can_do_it_is_told(tmp_path: Path) -> None:
    """Capabilities filter what a plugin gets; a port keeps its protocol, also the usual one."""
    config = config_with(
        tmp_path,
        {"type": "a", "capabilities": {"mac": True}},
        {"type": "b", "capabilities": {"portMappings": True}},
    )
    ports = [
        Port(host_port=8080, port=80),
        Port(protocol="udp", host_address="10.0.0.1", host_port=53, port=53),
    ]
    wanted = runtime.asked(config, cni.RuntimeConfig(mac="02:42:00:00:00:01"), ports)
    assert runtime.told(config.plugins[0].capabilities, wanted) == {"mac": "02:42:00:00:00:01"}
    assert runtime.told(config.plugins[1].capabilities, wanted) == {
        "portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
            {"hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": "10.0.0.1"},
        ]
    }


@pytest.mark.parametrize(
    "asked",
    [
        cni.RuntimeConfig(mac="02:42:00:00:00:01"),
        cni.RuntimeConfig(ips=("10.0.0.9",)),
        cni.RuntimeConfig(aliases=("web",)),
        cni.RuntimeConfig(bandwidth=cni.Bandwidth(ingressRate=1000, ingressBurst=1000)),
        cni.RuntimeConfig(dns=cni.Resolver(servers=("10.0.0.1",))),
    ],
)
def test_what_nobody_can_do_is_refused(tmp_path: Path, asked: cni.RuntimeConfig) -> None:
    """A capability that is switched off is none."""
    config = config_with(tmp_path, {"type": "a", "capabilities": {"portMappings": True, "mac": False}})
    with pytest.raises(Unsupported, match="cannot do"):
        runtime.asked(config, asked, [])


def test_ports_that_cannot_be_published(tmp_path: Path) -> None:
    """Without portmap; and a port that was never chosen."""
    with pytest.raises(Unsupported) as caught:
        runtime.asked(
            config_with(tmp_path, {"type": "a"}), cni.RuntimeConfig(), [Port(host_port=80, port=80)]
        )
    assert '"capabilities": {"portMappings": true}' in caught.value.remedy
    able = config_with(tmp_path, {"type": "a", "capabilities": {"portMappings": True}})
    with pytest.raises(InvalidInput, match="cannot publish port 0:80"):
        runtime.asked(able, cni.RuntimeConfig(), [Port(port=80)])


def test_an_answer_is_read() -> None:
    """1.0.0, with the nulls that Go writes and a field from the future."""
    raw = {
        "cniVersion": "1.0.0",
        "interfaces": [
            {"name": "cni0", "mac": "02:00:00:00:00:01"},
            {"name": "eth0", "sandbox": "/proc/7/ns/net", "mtu": 1450},
        ],
        "ips": [
            {"address": "10.1.0.2/16", "gateway": "10.1.0.1", "interface": 1},
            {"address": "10.1.0.1/16", "interface": 0},
            {"address": "fd00::2/64"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": None}],
        "dns": {"nameservers": None, "search": ["example.org"]},
        "tomorrow": [1],
    }
    read = result.read(raw, "1.0.0", "the answer")
    assert [ip.address for ip in read.addresses("eth0")] == ["10.1.0.2/16", "fd00::2/64"]
    assert read.interfaces[1].mtu == 1450
    assert read.routes == (result.Route(dst="0.0.0.0/0"),)
    assert read.dns.search == ("example.org",)


def test_an_answer_of_old_is_read() -> None:
    """0.2.0 had one address of a family."""
    raw = {
        "cniVersion": "0.2.0",
        "ip4": {"ip": "10.1.0.2/16", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
        "dns": {"nameservers": ["10.1.0.1"]},
    }
    read = result.read(raw, "0.2.0", "the answer")
    assert read.ips == (result.Address(address="10.1.0.2/16", gateway="10.1.0.1"),)
    assert read.routes == (result.Route(dst="0.0.0.0/0"),)
    assert read.dns.nameservers == ("10.1.0.1",)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"cniVersion": "0.4.0"}, "its cniVersion is '0.4.0', and it was asked in '1.0.0'"),
        ({}, "cniVersion"),
        ({"ips": "10.1.0.2"}, "`$.ips`"),
        ({"ips": [{"address": 7}]}, "`$.ips[0].address`"),
        ({"ips": [{"address": "10.1.0.2"}]}, "prefix length - at `$.ips[0].address`"),
        ({"ips": [{"address": "10.1.0.300/24"}]}, "`$.ips[0].address`"),
        ({"ips": [{"address": "10.1.0.2/24", "gateway": "gw"}]}, "`$.ips[0].gateway`"),
        (
            {"ips": [{"address": "10.1.0.2/24", "interface": 1}], "interfaces": [{"name": "a"}]},
            "no interface 1",
        ),
        (
            {"ips": [{"address": "10.1.0.2/24", "interface": -1}], "interfaces": [{"name": "a"}]},
            "no interface -1",
        ),
        ({"routes": [{"dst": "default"}]}, "`$.routes[0].dst`"),
        ({"routes": [{"dst": "0.0.0.0/0", "gw": "10"}]}, "`$.routes[0].gw`"),
        ({"dns": {"nameservers": ["localhost"]}}, "`$.dns.nameservers[0]`"),
    ],
)
def test_a_wrong_answer_is_not_believed(answer: dict[str, Any], told: str) -> None:
    """With the way to the field."""
    if answer and "cniVersion" not in answer:
        answer = {"cniVersion": "1.0.0", **answer}
    with pytest.raises(InvalidInput) as caught:
        result.read(answer, "1.0.0", "the answer of plugin x to ADD")
    assert told in caught.value.why


def test_names() -> None:
    """Of networks, containers and interfaces; they become parts of paths."""
    assert is_name("a") and is_name("a.b_c-d") and is_name("0" * 64)
    assert not any(map(is_name, ["", ".a", "-a", "a/b", "a:b", "a b", "a" * 101, "ä", "a\n"]))
    check_names("net", "c1", "eth0.5")
    for interface in ("", ".", "..", "a/b", "a:b", "a b", "sixteen-letters-", "a\0b"):
        with pytest.raises(InvalidInput, match="no name for an interface"):
            check_names("net", "c1", interface)
    with pytest.raises(InvalidInput, match="container id"):
        check_names("net", "../c1", "eth0")


def test_arguments_that_cannot_be_written() -> None:
    """CNI_ARGS has no escapes."""
    check_args({"K8S_POD_NAME": "a=b"})
    for args in ({"A;B": "c"}, {"A=B": "c"}, {"A": "b;c"}, {"": "c"}):
        with pytest.raises(Unsupported, match="cannot pass"):
            check_args(args)


def test_a_strangers_text_cannot_steer_the_terminal() -> None:
    """Escape sequences and line ends of a plugin's message are made harmless."""
    assert one_line("a\n b\x1b[2J\x07") == "a b?[2J?"
