"""TensorFlow as a framework of mlharness, and the Keras zoo as a source of models."""
