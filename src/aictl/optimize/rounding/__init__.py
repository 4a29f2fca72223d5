"""Rounding a language model's matrices to 4 and 8 bits, so that its text suffers least.

Read in this order: `grid` (what numbers there are), `gptq`, `hqq` and `awq` (which of them to take),
`calibration` (what real text says about it), `sensitivity` (which matrices need 8 bits), `graph` and
`packing` (how onnxruntime keeps them), `rounder` (all of it, from one folder to another).
"""
