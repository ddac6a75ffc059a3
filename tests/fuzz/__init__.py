"""Random command lines, configs, data files, label sets and damaged run folders: none may end in a traceback.

    python -m tests.fuzz --kind commands --cases 3000 --seed 1
    python -m tests.fuzz --kind configs --only 1234          # one case again, with what it printed

A case is a function of kind, seed and number alone. Each runs in a forked child with limits of time, memory and file size;
`oracle.py` says what it must keep to.
"""
