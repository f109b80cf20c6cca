"""The fifteen analyses of XSP on a run's own files: from a trace to tables that say where the time goes.

Source: C. Li et al., XSP: Across-Stack Profiling and Analysis of Machine Learning Models on GPUs, arXiv 1908.06869.
"""
