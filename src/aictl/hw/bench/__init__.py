"""What the machine does: rates of matrix products, memory, copies, disk and collectives, measured now.

Every figure is a median of repeats with the 95 % confidence interval of that median, so that a reader
can tell a fact from a guess on a machine that others use too.
"""
