"""Ahead-of-time compiler: a quantised ONNX model in, a VTA program file out."""
