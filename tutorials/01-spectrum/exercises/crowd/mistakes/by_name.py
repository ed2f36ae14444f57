# wrong: too-many
import os

for each in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
    print(each)
