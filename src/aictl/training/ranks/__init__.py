"""Training by several processes, on what torch has: its elastic agent, DDP, FSDP2, DTensor and distributed checkpoints.

launch.py ─▶ torch's elastic agent ─▶ every process runs the same command line
joining.py   who is there and who is missing; the world that the options ask for
group.py     what all of these worlds share: sums, signals, losing one another
replicas.py  each process has the whole model (DDP)
shards.py    each has a part of every parameter (FSDP2), or of every matrix product (tensor parallel)
"""
