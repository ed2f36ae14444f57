"""Who USER is: ``name|uid[:group|gid]`` against the image's passwd and group.

Layer ``image``. As docker and runc have it (passwd(5), group(5)): a number is
always an id, and needs no entry; a name needs one. Without a group the user
has that of passwd and those of which it is a member; with one, only that.
``user`` and ``group`` read the files out of the layers (merged.py);
``parse_user`` is for files that somebody else has read, as `exec` does in a
running container. Imported by every start.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, MinirunError
from minirun.image.merged import read_file
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HIGHEST = (1 << 31) - 1


class Account(Value):
    """Whom a program runs as. ``additional_gids`` has the gid too, as the first."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = (0,)
    home: str = "/"


def user(layers: Sequence[str], spec: str) -> Account:
    """The account that ``spec`` means in the image of these layers, the lowest first.

    Empty means root. Raises InvalidInput for a name that the image does not
    know. Without permission to read the layers root is still known; for
    anybody else that is a MinirunError.
    """
    try:
        passwd = read_file(layers, "etc/passwd") or b""
        groups = read_file(layers, "etc/group") or b""
    except PermissionError:
        if spec in ("", "0", "root", "0:0", "root:root"):
            return Account(home="/root")  # `explain` needs no root, and this is a good guess
        raise _not_allowed(spec) from None
    return parse_user(spec, passwd, groups)


def group(layers: Sequence[str], name: str) -> int:
    """The gid that ``name``, which may be a number, has in the image. Raises InvalidInput."""
    number = _number(name)
    if number is not None:
        return number
    try:
        return _gid(read_file(layers, "etc/group") or b"", name)
    except PermissionError:
        raise _not_allowed(name) from None


def parse_user(spec: str, passwd: bytes, groups: bytes) -> Account:
    """The account that ``spec`` means by these contents of passwd and group; pure."""
    name, _, group_name = spec.partition(":")
    account, login = _login(passwd, name or "0")
    if group_name:
        gid = _gid(groups, group_name)
        return Account(uid=account.uid, gid=gid, additional_gids=(gid,), home=account.home)
    gids = [account.gid]
    for entry in _lines(groups, 4) if login else ():
        gid_of = _number(entry[2])
        if gid_of is not None and gid_of not in gids and login in entry[3].split(","):
            gids.append(gid_of)
    # With the gid among the groups a program cannot rid itself of it by setgid (CVE-2022-36109).
    return Account(uid=account.uid, gid=account.gid, additional_gids=tuple(gids), home=account.home)


def _login(passwd: bytes, wanted: str) -> tuple[Account, str]:
    """The first entry that fits, and its login name; a number needs no entry."""
    number = _number(wanted)
    for entry in _lines(passwd, 6):
        uid, gid = _number(entry[2]), _number(entry[3])
        if uid is None or gid is None:
            continue  # a damaged line
        if entry[0] == wanted if number is None else uid == number:
            return Account(uid=uid, gid=gid, home=entry[5] or "/"), entry[0]
    if number is None:
        raise _unknown("user", wanted, "/etc/passwd")
    return Account(uid=number), ""


def _gid(groups: bytes, wanted: str) -> int:
    number = _number(wanted)
    if number is not None:
        return number
    for entry in _lines(groups, 3):
        found = _number(entry[2])
        if entry[0] == wanted and found is not None:
            return found
    raise _unknown("group", wanted, "/etc/group")


def _lines(content: bytes, fields: int) -> Iterator[list[str]]:
    """The lines of passwd or group that have at least so many fields."""
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        entry = line.strip().split(":")
        if len(entry) >= fields and not line.startswith("#"):
            yield entry


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _HIGHEST else None


def _not_allowed(name: str) -> MinirunError:
    why = "its layers are for root to read: they may hold set-user-ID programs"
    return MinirunError(f"cannot look up {name!r} in the image", why, "run it as root, or use -u 0")


def _unknown(kind: str, name: str, file: str) -> InvalidInput:
    if name.isascii() and name.isdigit():
        why = f"ids go from 0 to {_HIGHEST}"
    else:
        why = f"{file} of the image has no entry for it"
    remedy = "give a number, or a name that the image has"
    return InvalidInput(f"there is no {kind} {name!r} in the image", why, remedy)
