"""ONNX Runtime as a framework of mlharness."""
