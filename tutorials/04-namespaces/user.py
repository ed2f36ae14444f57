"""A user namespace: root inside, nobody special outside. Needs no root; try it without.

    python3 user.py CMD [ARG...]

The one namespace that anybody may create. In it the process has all capabilities, over what
belongs to this namespace only: it may set the host name of a UTS namespace made inside, and
may not set that of the host.
"""

import ctypes
import os
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWUTS = 0x10000000, 0x04000000


def main(*command):
    uid, gid = os.geteuid(), os.getegid()
    # [user]
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWUTS) < 0:  # in one call the user namespace comes first
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: unshare(CLONE_NEWUSER)")
    print(f"before the map: uid {os.getuid()}, the overflow uid: who is not on the map is nobody")
    write("uid_map", f"0 {uid} 1")  # inside, outside, how many: without root just oneself
    write("setgroups", "deny")  # else one could drop a group that a file shuts out (CVE-2014-8989)
    write("gid_map", f"0 {gid} 1")
    print(f"after it: uid {os.getuid()}; on the host still {uid}", flush=True)
    # [/user]
    os.execvp(command[0], command)


def write(name, text):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: user.py CMD [ARG...]")
    try:
        main(*sys.argv[1:])
    except OSError as error:
        print(f"user: {error}", file=sys.stderr)
        sys.exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))
