class FilterModule:
    def filters(self):
        return {"shout": lambda text: text.upper()}
