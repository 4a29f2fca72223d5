"""What a model needs and how fast it goes on machines that need not be here: memory, time, money.

Every answer is arithmetic over a model's shape (``shape``), an accelerator's figures
(``catalogue``), how the work is laid out over many of them (``layout``) and a few numbers that
published runs calibrated (``constants``). Nothing is loaded and no machine is looked at.
"""
