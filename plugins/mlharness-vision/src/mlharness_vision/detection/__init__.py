"""Object detection: steps from a network's outputs to boxes, data sets in COCO's form, and average precision."""
