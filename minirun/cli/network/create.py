"""``minirun network create``: a network, and its bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.settings import Settings

#: -o of docker's and podman's -> our word.
_OPTIONS = {
    "parent": "parent",
    "mtu": "mtu",
    "com.docker.network.driver.mtu": "mtu",
    "com.docker.network.bridge.name": "bridge",
}


#: As docker's switches may be spelled -> as click's are.
_SPELLINGS = {
    f"--{name}={word}": f"--{'' if word == 'true' else 'no-'}{name}"
    for name in ("ipv4", "ipv6")
    for word in ("true", "false")
}


class _Create(click.Command):
    """``--ipv6=false`` is ``--no-ipv6``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_SPELLINGS.get(arg, arg) for arg in args])


@click.command(cls=_Create)
@click.option(
    "--subnet", "subnets", multiple=True, metavar="CIDR", help="Its addresses: one of each IP version."
)
@click.option("--gateway", "gateways", multiple=True, metavar="ADDRESS", help="The host's own [the first].")
@click.option("--ip-range", default="", metavar="CIDR", help="Hand out this part of the subnet only.")
@click.option("--internal", is_flag=True, help="No way out, and none in.")
@click.option("--ipv4/--no-ipv4", default=True, help="Addresses of IPv4 [on].")
@click.option("--ipv6/--no-ipv6", default=None, help="Addresses of IPv6 [on, if the host has it].")
@click.option("--mtu", default=None, metavar="BYTES", help="The largest packet [the default route's].")
@click.option("-d", "--driver", default="bridge", metavar="DRIVER", help="bridge or macvlan [bridge].")
@click.option(
    "-o", "--opt", "options", multiple=True, metavar="KEY=VALUE", help="parent=INTERFACE, of a macvlan."
)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label.")
@click.argument("name")
@click.pass_obj
def command(
    settings: Settings,
    subnets: tuple[str, ...],
    gateways: tuple[str, ...],
    ip_range: str,
    internal: bool,
    ipv4: bool,
    ipv6: bool | None,
    mtu: str | None,
    driver: str,
    options: tuple[str, ...],
    labels: tuple[str, ...],
    name: str,
) -> int:
    """Make a network, and print its id.

    What is left out is chosen so that it collides with nothing the host has.
    """
    from minirun.errors import MinirunError
    from minirun.network import bridge, networks

    given = _options([*options, f"mtu={_mtu(mtu)}"] if mtu is not None else options)
    network = networks.create(
        settings.root,
        name,
        driver=driver,
        subnets=subnets,
        gateways=gateways,
        ip_range=ip_range,
        internal=internal,
        ipv4=ipv4,
        ipv6=ipv6,
        mtu=_mtu(given["mtu"]) if "mtu" in given else 0,
        parent=given.get("parent", ""),
        bridge=given.get("bridge", ""),
        labels=_labels(labels),
    )
    try:
        bridge.ensure(network, settings.state)
    except (MinirunError, OSError) as error:
        networks.forget(settings.root, settings.state, network)
        if isinstance(error, MinirunError):
            raise
        raise _failed(name, error) from error
    print(network.id)
    return 0


def _options(options: Sequence[str]) -> dict[str, str]:
    from minirun.errors import Unsupported, UsageError

    given: dict[str, str] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _OPTIONS or not value:
            raise Unsupported(
                f"-o {option} is not supported", f"minirun knows {', '.join(_OPTIONS)}", "leave it out"
            )
        if given.setdefault(_OPTIONS[key], value) != value:
            raise UsageError(
                f"{_OPTIONS[key]} is {given[_OPTIONS[key]]} and {value}", "it was said twice", "say it once"
            )
    return given


def _mtu(text: str) -> int:
    from minirun.errors import UsageError

    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise UsageError(f"--mtu {text!r} is not understood", "it is a number of bytes", "write --mtu 1450")
    return int(text)


def _labels(labels: Sequence[str]) -> dict[str, str]:
    from minirun.errors import UsageError

    pairs = [label.partition("=") for label in labels]
    if not all(key for key, _, _ in pairs):
        raise UsageError("--label has no key", "a label is KEY=VALUE", "write --label purpose=test")
    return {key: value for key, _, value in pairs}


def _failed(name: str, error: OSError) -> Exception:
    from minirun.errors import MinirunError, hint, reason

    return MinirunError(f"cannot make network {name}", reason(error), hint(error))
