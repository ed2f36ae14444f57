"""The rung with a kernel of its own: the same image, in a virtual machine.

Layer ``vm``. A container is a list of system calls to the host's kernel; a
virtual machine is one process of the host, the hypervisor, inside of which
another kernel runs. In reading order:

    anatomy.py     what a hypervisor is, in one file on /dev/kvm
    run.py         the table of contents: from the flags to the exit code
    machine.py     the hardware, as QEMU's command line
    share.py       the host's files that the guest sees, in a mount namespace of their own
    hypervisor.py  the process that is the machine
    guest.py       what the guest's first process shall do; native/guest.c does it
    session.py     what host and guest say to each other, until the program ends
    template.py    booted once, restored from then on; qmp.py is QEMU's protocol
    home.py        what is known of a running machine
    inspect.py     the machine from both sides; agent.py asks the guest
    stop.py, gc.py the end of one, and what killed ones leave
    kernel.py      the kernel that is booted; kernel_fetch.py brings one
    modules.py     its drivers, which initramfs.py packs with our init
"""
