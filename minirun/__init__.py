"""minirun: containers, as a list of system calls.

A container is a few dozen system calls in the right order, so here that list is
a value. Deciding (an image and flags, or an OCI config.json, become a list of
steps) is pure and needs no root; doing walks the list. To learn it from the
code, read in this order, each file from top to bottom:

    steps.py                  a step, a plan, what it means to undo one
    spec.py                   what a container shall be, in OCI's words
    container/plan.py         the whole start, one line a promise
    isolation/namespaces.py   what it sees            namespaces(7)
    isolation/overlay.py      its root file system    pivot_root(2)
    isolation/mounts/         /proc, /dev, volumes    mount_namespaces(7)
    isolation/cgroups/        what it gets            cgroups(7)
    isolation/privileges.py   what it may             capabilities(7)
    isolation/syscall_filter/ what it may call        seccomp(2)
    isolation/apparmor/       what it may touch       apparmor.d(5)
    network/                  how it is reached       veth(4), nft(8)
    container/create.py       walks the plan, on both sides
    container/start.py ...    a file for each verb of its life
    native/                   what stays when Python has left
    image/                    where root file systems come from
    cli/                      from a command line to all of this

``linux/`` is the kernel's words, looked up when one of the above uses them.
"""

__version__ = "0.1.0"
