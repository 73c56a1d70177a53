"""`python -m research.evaluation.training_report`: see report/training_report.py."""

from .report.training_report import main

if __name__ == "__main__":
    main()
