"""A sentence in bytes: `python3 frame.py ID` prints the message of StartContainer for the container ID."""

import sys

container = sys.argv[1]
# StartContainerRequest has one field, container_id, number 1, a text. In front of a message gRPC puts a byte
# that says whether it is compressed (0), and its length as four bytes, the highest first.
raise NotImplementedError("print it as hexadecimal digits, without blanks")
