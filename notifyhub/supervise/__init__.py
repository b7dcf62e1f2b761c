"""What ./run and ./test start and stop: the servers they bring along, and the processes of NotifyHub.

`begin.py` runs first, on whatever Python the machine has; the rest runs inside the virtual environment.
Nothing here imports Django except `prepare`, which is a process of its own.
"""
