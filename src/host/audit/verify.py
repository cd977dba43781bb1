#!/usr/bin/env python3
"""Verifies runs of Playwarden without Playwarden: python3 verify.py FOLDER [KEY...]

FOLDER is a folder of runs (`artifacts`), or an unpacked bundle. Each KEY is a public key that you know, as NAME+ID+KEY; with none
the log is taken at its word. Prints what is wrong, a line each, and ends with 1 if there is anything. Needs Python 3.8 and nothing
else. Checked: the chain of each journal, the Merkle tree of the log (RFC 6962), its signed checkpoints (C2SP signed note, ed25519
as in RFC 8032), the handing over of keys, and the digests of each run's other files.
"""

import base64, hashlib, json, os, re, sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    """The sum of two points of edwards25519, as (X, Y, Z, T)."""
    s, t, u, v = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def point(data):
    """The point that 32 bytes stand for, or None."""
    y = int.from_bytes(data, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and data[31] >> 7):
        return None
    x = P - x if x & 1 != data[31] >> 7 else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signature(key, text, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def base64_of(text):
    """Strict: one text for one sequence of bytes."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def root_of(subtrees):
    root = None
    for _, subtree in reversed(subtrees):
        root = subtree if root is None else hashlib.sha256(b"\1" + subtree + root).digest()
    return root or hashlib.sha256(b"").digest()


def read(*path):
    try:
        with open(os.path.join(*path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


class Log:
    """The log over all runs, and what it says of each."""

    def __init__(self, folder, known, wrong):
        self.folder, self.wrong, self.runs, self.roots, self.keys, self.origin = folder, wrong, {}, [], [], None
        data = read(folder, "log.jsonl")
        if data is None:
            if known or os.path.isdir(folder):
                wrong("log.jsonl is missing: there is no log")
            return
        key, subtrees, trusted, handed, offset = None, [], None, [], 0
        for number, line in enumerate(data.splitlines(keepends=True), 1):
            try:
                assert line.endswith(b"\n")
                entry = json.loads(line)
                kind, run = entry["type"], entry.get("run")
                if kind == "log":
                    self.origin = entry["origin"] if number == 1 else self.origin
                    key = entry["key"]
                elif kind == "key":
                    handed.append((number, key, entry["key"], entry.get("before") == key))
                    key = entry["key"]
                elif kind == "run-started":
                    self.runs[run] = {"first": entry["first"]}
                elif kind == "run-ended":
                    entry["events"], entry["last"], entry["files"], entry["size"] = (
                        int(entry["events"]), str(entry["last"]), dict(entry["files"]), number)
                    self.runs.setdefault(run, {})["end"] = entry
                elif kind == "run-removed":
                    self.runs.setdefault(run, {})["removed"] = entry["why"]
                else:
                    raise ValueError(kind)
            except (AssertionError, KeyError, TypeError, ValueError):
                wrong(f"log.jsonl: entry {number} at byte {offset} cannot be read")
                break
            offset += len(line)
            leaf = (1, hashlib.sha256(b"\0" + line[:-1]).digest())
            while subtrees and subtrees[-1][0] == leaf[0]:
                size, left = subtrees.pop()
                leaf = (2 * size, hashlib.sha256(b"\1" + left + leaf[1]).digest())
            subtrees.append(leaf)
            self.roots.append(root_of(subtrees))
            self.keys.append(key)
        size = self.hold(read(folder, "checkpoint"), "the log's checkpoint")
        if size is not None and size < len(self.roots):
            wrong(f"log.jsonl has {len(self.roots) - size} entries behind its {size} signed ones")
        trusted = not known or (self.keys and self.keys[0] in known)
        for number, old, new, says in handed:
            note = read(folder, f"rotation-{number}")
            agreed = says and note is not None and self.hold(note, f"rotation-{number}") == number and signed(note, old)
            if not agreed and not (new in known and old in known):
                wrong(f"the chain of {old} ends at entry {number - 1}: {new} signs from there on, and nobody handed over to it")
            trusted = new in known or (trusted and agreed)
        if known and not trusted:
            wrong(f"the log is signed by {key}, which is none of the given keys, nor handed over to")

    def hold(self, note, name):
        """Returns how many entries a checkpoint of this log covers."""
        try:
            origin, size, root = note.decode().split("\n\n")[0].split("\n")
            assert str(int(size)) == size and origin == self.origin and int(size) > 0
            assert base64_of(root) == self.roots[int(size) - 1] and signed(note, self.keys[int(size) - 1])
            return int(size)
        except (AttributeError, AssertionError, IndexError, ValueError):
            self.wrong(f"{name} is missing, is not of these entries, or is not signed by the log's key")
            return None


def signed(note, key):
    """Returns whether a key signed a note."""
    try:
        name, key_id, data = key.split("+", 2)
        data = base64_of(data)
        own = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        text, lines = note.decode().rsplit("\n\n", 1)
        assert own.hex() == key_id and data[0] == 1 and len(data) == 33 and lines.endswith("\n")
        lines, found = lines[:-1].split("\n"), False
        assert len(set(lines)) == len(lines)
        for line in lines:
            dash, who, signature = line.split(" ", 2)
            assert dash == "\u2014" and who
            signature = base64_of(signature)
            if who == name and signature[:4] == own:
                found |= is_signature(data[1:], (text + "\n").encode(), signature[4:])
        return found
    except (AssertionError, ValueError, IndexError):
        pass
    return False


LINE = re.compile(rb'(\{.*),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\n', re.S)


def chain_of(data, wrong):
    """Checks a journal; returns how many events it has, and the hashes of its first and its last line."""
    first, last, offset, number = None, "0" * 64, 0, 0
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        line += b"\n"
        place = f"events.jsonl: line {number} at byte {offset}"
        match = LINE.fullmatch(line)
        if not match:
            return wrong(f"{place} is no line of a journal")
        made = hashlib.sha256(line[: match.end(2)] + b'"}').hexdigest()
        if made != match[3].decode():
            return wrong(f"{place} was changed")
        if match[2].decode() != last or json.loads(line)["counter"] != number:
            return wrong(f"{place} does not follow the line before it")
        first, last, offset = first or made, made, offset + len(line)
    if offset != len(data):
        return wrong(f"events.jsonl: line {number + 1} at byte {offset} is torn")
    return number, first, last


def check_run(folder, name, log, wrong):
    known, data = log.runs.get(name), read(folder, "events.jsonl")
    if known is None and os.path.exists(os.path.join(folder, "checkpoint")):
        wrong("has a checkpoint of a log that does not know it")
    if data is None:
        return wrong("is missing" if not os.path.isdir(folder) else "events.jsonl is missing")
    chain, end = chain_of(data, wrong), (known or {}).get("end")
    if not known or not chain:
        return None
    if chain[1] != known.get("first"):
        wrong("events.jsonl does not begin as the log has it")
    if end is None:
        return None
    if chain[0] != end["events"] or chain[2] != end["last"]:
        wrong(f"events.jsonl has {chain[0]} events and ends with {chain[2]}; {end['events']} and {end['last']} are signed")
    found = {"run.json", "stdout", "stderr", "command"}
    for place, _, names in os.walk(os.path.join(folder, "plugins")):
        found |= {os.path.relpath(os.path.join(place, name), folder) for name in names
                  if not os.path.islink(os.path.join(place, name))}
    for name in sorted(found | set(end["files"])):
        data = read(folder, name)
        if (data is None) != (name not in end["files"]):
            wrong(f"{name} is missing, or was added")
        elif data is not None and hashlib.sha256(data).hexdigest() != end["files"][name]:
            wrong(f"{name} was changed")
    note = read(folder, "checkpoint")
    size = log.hold(note, "the run's checkpoint") if note is not None else end["size"]
    if size is not None and size < end["size"]:
        wrong("the run's checkpoint is older than its end")


def verify(folder, known=()):
    """Returns all that is wrong."""
    found = []
    log = Log(os.path.join(folder, ".audit"), known, found.append)
    names = read(folder, "RUNS")
    runs = {name for name in os.listdir(folder) if os.path.exists(os.path.join(folder, name, "run.json"))}
    runs |= set(names.decode().split() if names is not None else [name for name in log.runs if "removed" not in log.runs[name]])
    for run in sorted(runs):
        check_run(os.path.join(folder, run), run, log, lambda text, run=run: found.append(f"{run}: {text}"))
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    everything = verify(sys.argv[1], sys.argv[2:])
    print("\n".join(everything) or "nothing was changed, as far as that can be seen")
    sys.exit(1 if everything else 0)
