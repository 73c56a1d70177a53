"""`python -m research.evaluation.curate`: see report/curate.py."""

from .report.curate import main

if __name__ == "__main__":
    main()
