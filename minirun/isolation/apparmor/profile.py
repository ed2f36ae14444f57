"""Our own AppArmor profile: what a container may for which nobody named another.

Part of ``isolation/apparmor``; imported only by a start that asks for it. It is the third lock on doors that
capabilities and read-only mounts close already: it holds where somebody opened those,
with ``--cap-add SYS_ADMIN`` or ``--security-opt systempaths=unconfined``. The language is
apparmor.d(5): what no rule grants is denied, and a ``deny`` stands above all grants.
"""

from __future__ import annotations

#: With every change the number in its name is to be raised, see ``__init__.py``.
TEXT = """
# attach_disconnected: what lies outside the root it sees, a descriptor it was given, has a path as well.
# mediate_deleted: a deleted file that is open yet has the rights that its path had.
profile minirun-default-1 flags=(attach_disconnected, mediate_deleted) {

  # Granted whole, for something else sets the bounds: the bounding set, the network
  # namespace, the mount namespace. Not granted, and so denied: mount, remount, umount, pivot_root.
  capability,
  network,
  file,

  # Who shares its PID namespace may be a process of the host. The host may send it signals.
  signal (receive) peer=unconfined,
  signal (send, receive) peer=@{profile_name},
  ptrace (read, readby, trace, tracedby) peer=@{profile_name},

  # The knobs of the machine. Of /proc it may write to processes (/proc/1 ...) and to
  # /proc/sys/net, which is of its network namespace; of /sys to its cgroup.
  deny /proc/{[^0-9s],s[^y],sy[^s],sys[^/]}** wl,
  deny /proc/sys/{[^n],n[^e],ne[^t],net[^/]}** wl,
  deny /sys/{[^f],f[^s],fs[^/],fs/[^c]}** wl,

  # Not even to be read: all memory, tables of the firmware, the rules themselves, and
  # how much power is drawn (it tells secrets, CVE-2020-8694).
  deny /proc/kcore rwklx,
  deny /sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklx,
}
"""
