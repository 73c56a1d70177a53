"""The one error of the pack: what is wrong with which input, and what to do about it."""


class BadInput(ValueError):
    """An input that cannot be worked with.

    `input` is the name of the offending input as the node shows it, `problem` what is wrong with
    it (with the value or shape seen), `remedy` what the user can do. `at(node)` adds the node.
    """

    def __init__(self, input: str, problem: str, remedy: str, node: str | None = None):
        self.input, self.problem, self.remedy, self.node = input, problem, remedy, node
        where = f"{node}: " if node else ""
        super().__init__(f"{where}input '{input}' {problem}. Remedy: {remedy}.")

    def at(self, node: str) -> "BadInput":
        return self if self.node else BadInput(self.input, self.problem, self.remedy, node)
