"""What keeps a machine from its work: small checks on what a probe found, each with its cure.

:mod:`aictl.hw.doctor.checks` is the table of all of them.
"""
