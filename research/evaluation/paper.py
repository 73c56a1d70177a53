"""`python -m research.evaluation.paper`: see report/paper.py."""

from .report.paper import main

if __name__ == "__main__":
    main()
