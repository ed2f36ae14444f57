# wrong: says-one
print(1)
