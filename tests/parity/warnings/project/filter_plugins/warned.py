from ansible.utils.display import Display


def warned(value):
    Display().warning("a warning of the filter, which is longer than a line of a terminal is wide, so that it may be wrapped")
    return value


class FilterModule:
    def filters(self):
        return {"warned": warned}
