#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={})
module.exit_json(changed=False, infinity=float("inf"), nothing=float("nan"), big=2 ** 70, float=0.1, negative=-1)
