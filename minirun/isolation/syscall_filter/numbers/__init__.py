"""The numbers of the system calls, a file an architecture; read by ../architectures.py."""
