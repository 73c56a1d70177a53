"""`python -m research.evaluation.best`: see report/best.py."""

from .report.best import main

if __name__ == "__main__":
    main()
