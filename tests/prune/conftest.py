from hypothesis import settings

settings.register_profile("unhurried", deadline=None, derandomize=True)  # a busy machine is no failure
settings.load_profile("unhurried")
