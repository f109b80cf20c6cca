"""Steps for images: NumPy arrays in and out, no state; one noun a module.

A sample step works on the first array of its sample and passes the others on unchanged. What is wrong with one sample
is a UserError without the step's name: the runner adds the step and the sample.
"""
