"""A private data dir for each test, and what tests look at."""

import os
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FAKE = os.path.join(HERE, "fake.py")
# No condition that a test waits for takes so long, even on a busy machine.
BOUND = 60


class Case(unittest.TestCase):
    """A test with a private data dir of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="playwarden-python-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def file(self, path, text=""):
        path = self.path(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as file:
            return file.read()

    def environment(self, **variables):
        before = {name: os.environ.get(name) for name in variables}

        def restore():
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

        self.addCleanup(restore)
        os.environ.update(variables)

    def script(self, text, *arguments):
        """Starts a program of its own."""
        package = os.path.dirname(HERE)
        return subprocess.Popen(
            [sys.executable, "-c", text, self.folder, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": package},
            start_new_session=True,
        )

    def eventually(self, what, holds):
        begun = time.monotonic()
        while not holds():
            self.assertLess(time.monotonic() - begun, BOUND, f"never: {what}")
            time.sleep(0.01)


def marked(mark):
    """Returns the command lines of living processes that bear a mark."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line:
            found.append(line)
    return found
