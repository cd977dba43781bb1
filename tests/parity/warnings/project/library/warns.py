#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={})
module.warn("a warning of the module")
module.deprecate("a deprecation of the module", version="9.9", collection_name="house.rules")
module.exit_json(changed=False)
