"""The rung with a kernel of its own: the same image, in a virtual machine.

Layer ``vm``. A container is a list of system calls to the host's kernel; a
virtual machine is one process of the host, the hypervisor, inside of which
another kernel runs. In reading order:

    anatomy.py     what a hypervisor is, in one file on /dev/kvm
    kernel.py      the kernel that is booted: found, or fetched.py brings it
    modules.py     its drivers, which initramfs.py packs with native/guest.c
    machine.py     QEMU's command line: the hardware of the guest
    hypervisor.py  the process: its own view of the host's files, its end
    session.py     what host and guest say to each other, until the program ends
    template.py    booted once, restored from then on
    run.py         ties them together
"""
