DOCUMENTATION = """
name: dead
short_description: reaches nothing
description: Reaches nothing.
options: {}
"""
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "dead"
    has_pipelining = False

    def _connect(self):
        raise AnsibleConnectionFailure("nobody is there")

    def exec_command(self, cmd, in_data=None, sudoable=True):
        raise AnsibleConnectionFailure("nobody is there")

    def put_file(self, in_path, out_path):
        raise AnsibleConnectionFailure("nobody is there")

    def fetch_file(self, in_path, out_path):
        raise AnsibleConnectionFailure("nobody is there")

    def close(self):
        pass
