"""busybox: a whole userland in one static executable of about two MiB.

The default image of minirun: it needs no registry and no network, only
Debian's package busybox-static on the host.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from recipe import PATH, CannotBuild, Inputs, date, output_of, write

BASE = None
COMMAND = ["sh"]
ENVIRONMENT = {"PATH": PATH}

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
bin:x:2:
tty:x:5:
www-data:x:33:
users:x:100:
nogroup:x:65534:
"""
NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
PROFILE = f'export PATH={PATH}\nexport PS1="\\u@\\h:\\w\\$ "\n'


def inputs() -> Inputs:
    """The version of Debian's package, and the date of the program in it."""
    version = output_of("dpkg-query", "--show", "--showformat=${Version}", "busybox-static")
    return Inputs(f"busybox-static {version}", date(int(program().stat().st_mtime)))


def fill(rootfs: Path) -> None:
    """One program, a link for each of its applets, and the few files they read."""
    for directory in ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "home", "var/log", "dev", "proc", "sys"):
        (rootfs / directory).mkdir(parents=True)
    (rootfs / "root").mkdir(mode=0o700)
    for shared in ("tmp", "var/tmp"):
        (rootfs / shared).mkdir()
        (rootfs / shared).chmod(0o1777)  # anyone writes, only the owner removes

    shutil.copy2(program(), rootfs / "bin/busybox")
    for applet in output_of(str(program()), "--list-full").split():
        if applet not in ("bin/busybox", "linuxrc"):
            (rootfs / applet).symlink_to("/bin/busybox")

    # /etc/hosts, hostname and resolv.conf are missing: they are the runtime's to give.
    write(rootfs / "etc/passwd", PASSWD)
    write(rootfs / "etc/group", GROUP)
    write(rootfs / "etc/shadow", "root:*:::::::\nnobody:*:::::::\n", 0o640)
    write(rootfs / "etc/nsswitch.conf", NSSWITCH)
    write(rootfs / "etc/profile", PROFILE)


def program() -> Path:
    """The executable as Debian's package installed it."""
    for path in output_of("dpkg-query", "--listfiles", "busybox-static").split():
        if path.endswith("bin/busybox"):
            return Path(path)
    raise CannotBuild("the package busybox-static has no busybox: apt-get install --reinstall busybox-static")
