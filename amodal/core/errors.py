"""The pack's error: which input is wrong, what is wrong with it, and the remedy."""

from .text import encodable


class BadInput(ValueError):
    """An input that the pack cannot use.

    `input` is the input's name as the node shows it, `problem` what is wrong with it (with the
    value or shape), `remedy` what the user can do. `at(node)` adds the node's name.
    """

    def __init__(self, input: str, problem: str, remedy: str, node: str | None = None):
        self.input, self.problem, self.remedy, self.node = input, problem, remedy, node
        where = f"{node}: " if node else ""
        super().__init__(encodable(f"{where}input '{input}' {problem}. Remedy: {remedy}."))

    def at(self, node: str) -> "BadInput":
        return self if self.node else BadInput(self.input, self.problem, self.remedy, node)
