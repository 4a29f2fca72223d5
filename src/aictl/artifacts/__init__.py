"""The nouns: one file per kind of artifact, each saying what files it holds and how to read them.

Nothing here imports torch, transformers or onnx: looking at artifacts must stay cheap.
"""
