from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec=dict(pin=dict(type="str", no_log=True), echo=dict(type="str")))
    result = dict(changed=False, echo="it is %s" % module.params["pin"], other=module.params["echo"])
    module.warn("the pin is %s" % module.params["echo"])
    module.exit_json(**result)


main()
