"""aictl-tensorrt: one command, ``aictl optimize trt``, which compiles an onnx artifact into an engine."""

__version__ = "0.1.0"
