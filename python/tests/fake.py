#!/usr/bin/env python3
"""Stands for the program where a test wants it to do what it never does, or when it is told to.

It plays a recorded run, and is told what to do by the document that it is handed, under `settings`:

- `before`: `refuse`, `silent` or `deaf` (ends without having read anything)
- `halt`: after so many events it waits until somebody asks for the end or, with `go`, until there is a file of that name
- `then`: what it does after that: `die`, or a number of events more
"""

import json
import os
import signal
import sys
import threading
import time

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")


def main():
    arguments = sys.argv[1:]
    if os.environ.get("FAKE") == "deaf":
        sys.stderr.write("error: the disk is full\n" + "x" * 1_000_000)
        return 74
    if arguments[0] == "events":
        # Who follows a run whose host was killed: the first events, then one that was beside the journal, and the end.
        folder = os.path.join(arguments[arguments.index("--artifact-dir") + 1], arguments[1])
        with open(os.path.join(folder, "events.jsonl"), "r+") as journal:
            recorded = [json.loads(line) for line in journal]
            recorded.append({**recorded[-1], "counter": len(recorded) + 1})
            recorded.append({"event": "run_finished", "counter": len(recorded) + 1, "event_data": {"status": "lost"}})
            for number, event in enumerate(recorded):
                line = json.dumps(event, separators=(",", ":")) + "\n"
                if number >= len(recorded) - 2:
                    journal.write(line)
                    journal.flush()
                sys.stdout.write(line)
                sys.stdout.flush()
        return 0
    asked = threading.Semaphore(0)

    def ask(*_):
        asked.release()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    text = sys.stdin.readline()
    document = json.loads(text)
    settings = document.get("settings", {})

    def watch():
        if not sys.stdin.read():
            if "eof" in settings:
                open(settings["eof"], "w").close()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    if settings.get("before") == "refuse":
        sys.stderr.write("error: there is no playbook `x.yml`\n  = help: did you mean `y.yml`?\n")
        return 30
    if settings.get("before") == "silent":
        return 12
    folder = arguments[arguments.index("--private-data-dir") + 1]
    run = os.path.join(document.get("artifact_dir", os.path.join(folder, "artifacts")), document["ident"])
    os.makedirs(run)
    with open(os.path.join(run, "given.json"), "w") as file:
        json.dump(
            {"arguments": arguments, "environment": dict(os.environ), "document": document, "pid": os.getpid()}, file
        )
    with open(os.path.join(run, "command"), "w") as file:
        json.dump({"command": ["ansible-playbook", "test.yml"], "cwd": folder, "env": {"A": "b"}}, file)
    with open(os.path.join(RECORDED, "stdout")) as source, open(os.path.join(run, "stdout"), "w") as file:
        file.write(source.read())
    with open(os.path.join(RECORDED, "events.jsonl")) as source:
        recorded = [json.loads(line) for line in source]
    journal = open(os.path.join(run, "events.jsonl"), "w")

    def tell(event):
        line = json.dumps(event, separators=(",", ":")) + "\n"
        journal.write(line)
        journal.flush()
        sys.stdout.write(line)
        sys.stdout.flush()

    halt = settings.get("halt", 0)
    for event in recorded[: halt or len(recorded)]:
        tell(event)
    if halt:
        if "go" in settings:
            while not os.path.exists(settings["go"]):
                time.sleep(0.01)
        else:
            while not asked.acquire(timeout=0.05):
                pass
        if settings.get("then") == "die":
            sys.stdout.write('{"schema":1,"uu')
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if "go" in settings:
            for event in recorded[halt:]:
                tell(event)
        else:
            for event in recorded[-2:]:
                data = event["event_data"]
                data.update({"status": "canceled", "rc": 254} if "status" in data else {"to": "canceled"})
                tell(event)
    for name, said in (("rc", "0"), ("status", "successful")):
        with open(os.path.join(run, name), "w") as file:
            file.write(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
