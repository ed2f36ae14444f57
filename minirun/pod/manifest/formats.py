"""How names, keys, paths and addresses are written.

Layer: pod; pure. Each function takes a text and gives what is wrong with it, or
an empty text. Read next: tables.py. RFC 1123, RFC 6335; the API server's
`k8s.io/apimachinery/pkg/util/validation`.
"""

from __future__ import annotations

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_ALNUM = _LOWER | _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def dns_label(text: str) -> str:
    """A part of a host name: RFC 1123."""
    if len(text) > 63:
        return f"{_quoted(text)} has {len(text)} characters, and 63 are the most"
    if not text or set(text) - _LOWER - _DIGITS - {"-"} or text[0] == "-" or text[-1] == "-":
        return f"{_quoted(text)} is no name: lower case letters and digits, with - between them"
    return ""


def dns_subdomain(text: str) -> str:
    """Labels with dots between them, 253 characters at most."""
    if len(text) > 253:
        return f"it has {len(text)} characters, and 253 are the most"
    if any((dns_label(part) and len(part) <= 63) or not part for part in text.split(".")):
        return f"{_quoted(text)} is no name: lower case letters and digits, with - and . between them"
    return ""


def search_domain(text: str) -> str:
    """A domain of resolv.conf's search line; a dot may end it, underscores may be in it."""
    bare = text.removesuffix(".")
    return dns_subdomain(bare.replace("_", "x")) if bare else ("" if text == "." else "is required")


def host_name(text: str) -> str:
    """A host name of at most 64 characters: what sethostname(2) takes."""
    return dns_subdomain(text) or (
        "" if len(text) <= 64 else f"it has {len(text)} characters, 64 are the most"
    )


def port_name(text: str) -> str:
    """A service name: RFC 6335, section 5.1."""
    fits = (
        0 < len(text) <= 15
        and not set(text) - _LOWER - _DIGITS - {"-"}
        and set(text) & _LOWER
        and "--" not in text
        and text[0] != "-"
        and text[-1] != "-"
    )
    return "" if fits else f"{_quoted(text)} is no port name: up to 15 of a-z, 0-9 and -, with a letter in it"


def port(value: int | str) -> str:
    """A port's number or name."""
    if isinstance(value, str):
        return port_name(value)
    return "" if 1 <= value <= 65535 else f"{value} is no port: 1 to 65535"


def variable_name(text: str) -> str:
    """Of an environment variable: anything that prints, and no equals sign."""
    if any(not " " <= letter <= "~" for letter in text) or "=" in text:
        return f"{_quoted(text)} is no variable's name: printable ASCII without ="
    return ""


def data_key(text: str) -> str:
    """A key of a ConfigMap or Secret; it becomes a file's name."""
    if len(text) > 253:
        return f"it has {len(text)} characters, and 253 are the most"
    if not text or set(text) - _ALNUM - frozenset("-_.") or text == "." or text.startswith(".."):
        return f"{_quoted(text)} is no key: letters, digits, -, _ and ., and not . or .. before the rest"
    return ""


def label_key(text: str) -> str:
    """Of a label or annotation: ``name``, or ``domain/name``."""
    prefix, slash, name = text.rpartition("/")
    if slash and (dns_subdomain(prefix) or not prefix):
        return f"{_quoted(text)}: before the / has to be a domain"
    return "" if name and not label_value(name) else f"{_quoted(text)} is no key: {_VALUE}"


_VALUE = "up to 63 letters, digits, -, _ and ., with a letter or digit at both ends"


def label_value(text: str) -> str:
    """Of a label; it may be empty."""
    if not text or (
        len(text) <= 63
        and text[0] in _ALNUM
        and text[-1] in _ALNUM
        and not set(text) - _ALNUM - frozenset("-_.")
    ):
        return ""
    return f"{_quoted(text)} is no label's value: {_VALUE}"


def absolute_path(text: str) -> str:
    """A place in a container."""
    if not text.startswith("/"):
        return f"{_quoted(text)} has to begin with /"
    return f"{_quoted(text)} must not contain : or a null byte" if set(text) & {":", "\0"} else ""


def host_path(text: str) -> str:
    """A place on the host: no way up from it."""
    if ".." in text.split("/"):
        return f"{_quoted(text)} must not contain .."
    return "" if text.startswith("/") and "\0" not in text else f"{_quoted(text)} has to begin with /"


def relative_path(text: str) -> str:
    """A place below something else, and no way out of it."""
    if text.startswith("/"):
        return f"{_quoted(text)} has to be relative: without the / at its beginning"
    if "\0" in text:
        return f"{_quoted(text)} must not contain a null byte"
    return f"{_quoted(text)} must not contain .." if ".." in text.split("/") else ""


def file_path(text: str) -> str:
    """A file of a configMap, secret or downwardAPI volume."""
    if text.startswith(".."):
        return f"{_quoted(text)} must not begin with .."
    return relative_path(text)


def address(text: str) -> str:
    """IPv4 or IPv6."""
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return ""
    return f"{_quoted(text)} is no IP address"


def header_name(text: str) -> str:
    """Of HTTP."""
    return "" if text and not set(text) - _ALNUM - {"-"} else f"{_quoted(text)} is no header's name"


def signal_name(text: str) -> str:
    """``SIGTERM``, ``SIGUSR1``, ``SIGRTMIN+3`` ...: with SIG, as the API has it."""
    import signal

    base, plus, offset = text.partition("+")
    minus = ""
    if not plus:
        base, minus, offset = text.partition("-")
    if plus or minus:
        span = int(signal.SIGRTMAX) - int(signal.SIGRTMIN)
        fits = base == ("SIGRTMIN" if plus else "SIGRTMAX") and offset in {str(n) for n in range(1, span)}
        return "" if fits else f"{_quoted(text)} is no signal"
    known = text.startswith("SIG") and not text.startswith("SIG_") and hasattr(signal.Signals, text)
    return "" if known else f"{_quoted(text)} is no signal: write SIGTERM, SIGINT, SIGUSR1 ..."


def capability(text: str) -> str:
    """A name of capabilities(7), with or without CAP_, or ALL."""
    from minirun.linux.capability import ALL

    name = text.upper().removeprefix("CAP_")
    known = name == "ALL" or f"CAP_{name}" in ALL
    return "" if known else f"{_quoted(text)} is no capability: NET_ADMIN, SYS_TIME ..., capabilities(7)"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
