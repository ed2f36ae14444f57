"""The kernel's words, a file a noun: no decisions are made here.

Every function is the door to one system call (or one file write that the
kernel reads as a command), marked with its man page by ``steps.syscall`` so
that a plan can be printed. Errors are plain ``OSError``. This is the only
layer in which ``ctypes``, ``fork`` and ``clone3`` appear.
"""
