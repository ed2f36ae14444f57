"""Pod manifests: from YAML text to typed, checked values, and back.

Layer: pod; pure (no root, no files). In reading order:

    types.py       the Kubernetes objects, and types_*.py that it is the index of
    read.py        a file: documents become pods, or all that is wrong with them
    nodes.py       YAML as a tree whose every node knows its line
    decode.py      the tree becomes values: each field known, each type right
    validate.py    the API server's rules: tables.py for single fields
                   (formats.py: how they are written), rules_*.py between fields
    problems.py    what is said of a mistake, and of a field that is set aside
    support.py     which fields mean something here, as a table
    write.py       the way back to YAML
"""
