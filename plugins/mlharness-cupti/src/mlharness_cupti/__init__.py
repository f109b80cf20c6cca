"""CUDA's activities as spans of mlharness, by NVIDIA's CUPTI."""
