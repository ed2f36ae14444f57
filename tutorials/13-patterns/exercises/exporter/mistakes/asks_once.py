# wrong: does-not-answer
import urllib.request

with urllib.request.urlopen("http://localhost:8080/numbers") as answer:
    for pair in answer.read().decode().split(";"):
        name, value = pair.strip().split("=")
        print(f"# TYPE shop_{name}_total counter\nshop_{name}_total {value}")
