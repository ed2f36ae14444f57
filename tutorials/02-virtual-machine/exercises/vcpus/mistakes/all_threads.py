# wrong: counts-all
import os
import sys

pid = int(sys.argv[1])
print(len(os.listdir(f"/proc/{pid}/task")))
