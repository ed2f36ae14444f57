"""What a container is made of, one file a promise.

``namespaces users hostname cgroups overlay mounts devices privileges apparmor rlimits
sysctls syscall_filter``: each turns its part of the Spec into steps and does
nothing itself. ``container/plan.py`` puts them in order and says why that
order; the calls they are made of live in ``linux/``.
"""
