"""Writes a frame that would be a good one to every socket this process has."""
import json
import os
import socket
import struct

BODY = json.dumps({
    "record": "event", "number": 1, "time_ns": 1, "stdout": None, "stderr": None, "event": "runner_on_ok",
    "uuid": "forged", "event_data": {"host": "h1", "task": "forged", "res": {"changed": True}}}).encode()


def intrude():
    """How many sockets took it."""
    count = 0
    for number in range(3, 256):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        try:
            if one.family == socket.AF_UNIX:
                one.sendall(struct.pack(">I", len(BODY)) + BODY)
                count += 1
        except OSError:
            pass        # core's own, which leads nowhere
        one.close()
    return count
