"""aictl-openvino: one command, ``aictl export openvino``, which gives an onnx artifact the form that OpenVINO reads."""

__version__ = "0.1.0"
