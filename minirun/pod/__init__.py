"""Pods: containers that share the namespaces of a sleeping C program.

Layer: between cli and container. In reading order: manifest/ (what a pod is
asked to be), create.py (from there to the sandbox), sandbox.py and member.py
(who owns namespaces, and who borrows them), decide.py (the rules of a pod's
life, as one pure function), supervise.py (who applies them, while time has to
pass), state.py (what is known, in files), remove.py (the end).
"""
