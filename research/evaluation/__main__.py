"""`python -m research.evaluation`, or `nox -s evaluate`: see report/evaluate.py."""

from .report.evaluate import main

if __name__ == "__main__":
    main()
