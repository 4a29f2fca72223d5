"""What pytest collects here: the plugins that are installed beside aictl for the tests.

The mould is not one of them. tests/plugins/test_template.py copies it out, installs it into an
environment of its own, and runs its tests there.
"""

collect_ignore = ["_template"]
