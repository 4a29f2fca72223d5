"""The same command on other machines: what tells a cluster to run it, printed or handed in.

words.py       the command line as it is to be typed there
kubernetes.py  a JobSet, or Kubeflow's TrainJob
slurm.py       a batch script
submit.py      which of them, and handing it in
"""
