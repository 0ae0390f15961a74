import json

from benchmarks import document

if __name__ == "__main__":
    document.report("", json.loads, json.dumps, "plain dicts, nothing validated")
