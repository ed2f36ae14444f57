"""Names of images: the grammar, the short forms, and what is refused."""

from __future__ import annotations

import pytest

from minirun.errors import InvalidInput
from minirun.image.reference import is_digest, local_name, parse

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1.36", "busybox:1.36"),
        ("library/busybox", "busybox:latest"),
        ("docker.io/busybox", "busybox:latest"),
        ("docker.io/library/busybox", "busybox:latest"),
        ("index.docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/me/tool:1", "me/tool:1"),
        ("me/tool", "me/tool:latest"),
        ("library/deep/er", "library/deep/er:latest"),
        ("ghcr.io/library/busybox", "ghcr.io/library/busybox:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("host.example:5000/a/b:T.a-g_1", "host.example:5000/a/b:T.a-g_1"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        (f"busybox@sha256:{HEX}", f"busybox@sha256:{HEX}"),
        (f"busybox:1@sha256:{HEX}", f"busybox@sha256:{HEX}"),
        (f"localhost:5000/a/b:1@sha256:{HEX}", f"localhost:5000/a/b@sha256:{HEX}"),
    ],
)
def test_the_two_ways_to_the_local_name_agree(text: str, local: str) -> None:
    """``local_name``, which checks nothing, gives what ``parse`` gives."""
    assert local_name(text) == local
    assert parse(text).local == local
    assert parse(local).local == local


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("me/tool:1", "docker.io/me/tool:1"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        (f"a@sha256:{HEX}", f"docker.io/library/a@sha256:{HEX}"),
    ],
)
def test_the_full_name(text: str, full: str) -> None:
    """What containerd writes into its annotation."""
    assert parse(text).full == full
    assert parse(full).local == parse(text).local


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no name"),
        (":tag", "no name"),
        ("a//b", "is empty"),
        ("/a", "is empty"),
        ("a/", "is empty"),
        ("Busybox", "capital letters"),
        ("a/B", "capital letters"),
        ("-a", "'-a'"),
        ("a..b", "'a..b'"),
        ("a___b", "'a___b'"),
        ("..", "'..'"),
        ("../../etc/passwd", "'..'"),
        ("a b", "'a b'"),
        ("a\n", "'a\\n'"),
        ("a:", "tag"),
        ("a:-x", "tag"),
        ("a:" + "x" * 129, "tag"),
        ("a:b:c", "may have"),
        ("a@", "digest"),
        ("a@sha256:123", "digest"),
        ("a@md5:" + HEX, "digest"),
        ("a@sha256:" + HEX.upper(), "digest"),
        (HEX, "64 hexadecimal digits"),
        ("x" * 256, "255"),
        ("ho_st.x/a", "host name"),
        ("host.x:port/a", "host name"),
        ("\udcff", "may have"),
        ("a\0b", "may have"),
        ("ä", "may have"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    """One line of what, one of why, one of what to do."""
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert why in caught.value.why
    assert caught.value.remedy


def test_digests() -> None:
    """sha256 and 64 lower-case digits, nothing else."""
    assert is_digest(f"sha256:{HEX}")
    for wrong in (
        HEX,
        f"sha512:{HEX}",
        f"sha256:{HEX}0",
        "sha256:",
        f"sha256:{HEX[:-1]}G",
        f"sha256:{HEX}\n",
    ):
        assert not is_digest(wrong)
