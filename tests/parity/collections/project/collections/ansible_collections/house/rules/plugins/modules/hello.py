#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"name": {"type": "str"}})
module.exit_json(changed=False, greeting="hello " + module.params["name"])
