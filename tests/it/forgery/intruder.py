"""Writes a frame that would be a good one to every socket this process has."""
import json
import os
import socket
import struct

BODY = json.dumps({
    "record": "event", "number": 1, "time_ns": 1, "stdout": None, "stderr": None, "event": "runner_on_ok",
    "uuid": "forged", "event_data": {"host": "h1", "task": "forged", "res": {"changed": True}}}).encode()


def intrude():
    """How many sockets there were."""
    count = 0
    for number in range(3, 256):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if one.family == socket.AF_UNIX:
            count += 1
            one.sendall(struct.pack(">I", len(BODY)) + BODY)
        one.close()
    return count
