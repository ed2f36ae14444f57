"""What an image is called: ``[HOST/]PATH[:TAG][@DIGEST]``.

Layer ``image``. Docker's grammar (github.com/distribution/reference). Nobody
types all of it, so a name has a short form, and the store knows images by it:

    busybox                           is  busybox:latest
    docker.io/library/busybox:latest  is  busybox:latest
    docker.io/me/tool:1               is  me/tool:1
    localhost:5000/tool               is  localhost:5000/tool:latest

``local_name`` does that with a few string operations, for it is on the way of
every start; ``parse`` checks the grammar and takes the name apart. Read
``config.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.values import Value

DEFAULT_TAG = "latest"

#: The registry that a name without a host means, and its prefixes, longest first.
DEFAULT_HOST = "docker.io"
_DEFAULT_PREFIXES = ("index.docker.io/", "docker.io/")


def local_name(reference: str) -> str:
    """The name by which the store would know ``reference``; checks nothing."""
    for prefix in _DEFAULT_PREFIXES:
        if reference.startswith(prefix):
            reference = reference[len(prefix) :]
            break
    if reference.startswith("library/") and reference.count("/") == 1:
        reference = reference[len("library/") :]
    name, at, digest = reference.partition("@")
    last = name[name.rfind("/") + 1 :]
    if at:  # a digest says more than a tag
        return f"{name[: len(name) - len(last)]}{last.partition(':')[0]}@{digest}"
    return name if ":" in last else f"{name}:{DEFAULT_TAG}"


class Reference(Value):
    """A name taken apart. ``host`` is empty for the default registry."""

    host: str = ""
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The short name without tag and digest: ``busybox``, ``ghcr.io/me/tool``."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def local(self) -> str:
        """The name in the store: ``busybox:latest``, ``busybox@sha256:...``."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag or DEFAULT_TAG}"

    @property
    def full(self) -> str:
        """With its registry, as containerd writes it: ``docker.io/library/busybox:latest``."""
        host = self.host or DEFAULT_HOST
        path = self.path if self.host or "/" in self.path else f"library/{self.path}"
        rest = f"@{self.digest}" if self.digest else f":{self.tag or DEFAULT_TAG}"
        return f"{host}/{path}{rest}"


def parse(text: str) -> Reference:
    """Takes a reference apart.

    Raises InvalidInput that says which part is wrong, and why.
    """
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    name, tag = (name[:colon], name[colon + 1 :]) if colon >= 0 else (name, "")
    if colon >= 0 or at:
        _check_tag_and_digest(text, colon >= 0, tag, bool(at), digest)
    host, path = _split_host(name)
    _check_path(text, host, path)
    if host in ("docker.io", "index.docker.io"):
        host = ""
    if not host and path.startswith("library/") and path.count("/") == 1:
        path = path[len("library/") :]
    return Reference(host=host, path=path, tag=tag, digest=digest)


def _split_host(name: str) -> tuple[str, str]:
    # The first part is a host if it could not be a path: a dot, a port, or localhost.
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return "", name


def _check_path(text: str, host: str, path: str) -> None:
    import re

    if not path:
        raise _wrong(text, "there is no name in it")
    if len(host) + len(path) > 255:
        raise _wrong(text, "the name is longer than 255 characters")
    label = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    if host and not re.fullmatch(rf"(?:{label}(?:\.{label})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?", host):
        raise _wrong(text, f"{host!r} is no host name, with or without a port")
    for part in path.split("/"):
        if not part:
            raise _wrong(text, "a part of the name between slashes is empty")
        if part != part.lower():
            raise _wrong(text, f"{part!r} has capital letters")
        if not re.fullmatch(r"[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*", part):
            raise _wrong(text, f"{part!r} may have a-z, 0-9, and between them '.', '_', '__' or '-'")
    if not host and re.fullmatch(r"[0-9a-f]{64}", path):
        raise _wrong(text, "64 hexadecimal digits are an id, so they cannot be a name")


def _check_tag_and_digest(text: str, has_tag: bool, tag: str, has_digest: bool, digest: str) -> None:
    import re

    if has_tag and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
        raise _wrong(text, f"the tag {tag!r} may have A-Z, a-z, 0-9, '_', '.', '-', up to 128 of them")
    if has_digest and not is_digest(digest):
        raise _wrong(text, f"the digest {digest!r} is not sha256: and 64 hexadecimal digits")


def is_digest(text: str) -> bool:
    """Whether ``text`` is ``sha256:`` and 64 lower-case hexadecimal digits."""
    kind, _, digits = text.partition(":")
    return kind == "sha256" and len(digits) == 64 and is_hex(digits)


def is_hex(text: str) -> bool:
    """Whether ``text`` has lower-case hexadecimal digits and nothing else."""
    return bool(text) and not text.strip("0123456789abcdef")


def _wrong(text: str, why: str) -> InvalidInput:
    like = "write it like busybox, me/tool:1.2 or host:5000/tool"
    return InvalidInput(f"{text!r} is no image name", why, like)
