"""What the machine is: processor, memory, accelerators, network and software, as seen now.

Every room takes ``root``, the folder that stands for ``/``: on a machine that is ``/`` itself. What
cannot be learnt is None; nothing that is absent is an error.
"""
