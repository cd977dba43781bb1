import os
import signal

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)
        return [""]
