from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "prints"

    def v2_runner_on_ok(self, result, **kwargs):
        self._display.display("printed by another callback")

    def v2_playbook_on_task_start(self, task, is_conditional):
        raise RuntimeError("broken")
