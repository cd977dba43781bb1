"""Reads artifact folders as a program does that uses ansible-runner: with ansible_runner's own Runner.

One folder a line on standard input; one JSON document with what it found on standard output.
"""
import json
import os
import sys
import types

from ansible_runner.runner import Runner


def read(folder):
    config = types.SimpleNamespace(
        artifact_dir=folder, private_data_dir=os.path.dirname(os.path.dirname(folder)), ident=os.path.basename(folder),
        fact_cache=os.path.join(folder, "fact_cache"), fact_cache_type="jsonfile")
    runner = Runner(config)
    found = {}

    def ask(name, question):
        try:
            found[name] = question()
        except Exception as error:
            found[name] = "%s: %s" % (type(error).__name__, str(error).replace(folder, ""))

    # Before the first event is looked at, `events` waits for its folder; who has none is not waited for.
    if os.path.isdir(os.path.join(folder, "job_events")):
        ask("stats", lambda: runner.stats)
        ask("events", lambda: [[event["counter"], event["event"]] for event in runner.events])
        hosts = sorted((found["stats"] or {}).get("processed", {})) if isinstance(found["stats"], dict) else []
        for host in hosts:
            ask("host %s" % host, lambda: [event["event"] for event in runner.host_events(host)])
            ask("facts %s" % host, lambda: sorted(runner.get_fact_cache(host)))
    ask("stdout", lambda: runner.stdout.read())
    ask("stderr", lambda: bool(runner.stderr.read()))
    return found


json.dump([read(line.rstrip("\n")) for line in sys.stdin], sys.stdout)
