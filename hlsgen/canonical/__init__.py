"""The independent check: the graph as ONNX without inexact sums, ONNX Runtime, and comparisons with golden."""
