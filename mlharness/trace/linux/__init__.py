"""What Linux tells of the threads of a traced run: when each ran, was preempted, slept; and what it cost them.

Standard library alone: the runner's environment may be an old one.
"""
