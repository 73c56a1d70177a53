"""A run of a prompt on a host: what its messages say, what it showed, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field


class RunError(RuntimeError):
    """A run that the host refused or aborted, or a host that does not answer.

    node: title and id of the node that failed, "" if unknown. kind: the exception's type in the
    host, "refused" if the prompt did not pass validation, "interrupted" if it was cancelled.
    """

    def __init__(self, message: str, node: str = "", kind: str = ""):
        super().__init__(message)
        self.node, self.kind = node, kind

    @property
    def is_bad_input(self) -> bool:
        """Whether the user's input caused the error."""
        return self.kind == "refused" or self.kind.rsplit(".", 1)[-1] == "BadInput"


@dataclass(frozen=True)
class Event:
    """A message from the host about the prompt, `seconds` after the prompt was queued."""

    kind: str
    data: dict
    seconds: float


@dataclass
class Run:
    """The result of a finished run.

    outputs: for each node that shows something, its outputs in order. A node in a loop's body has
    one for each pass. Their keys are the host's ("images", "text", ...). seconds: how long each
    node ran. blocked: messages of nodes that stopped the nodes behind them.
    total: seconds of the whole run.
    """

    prompt_id: str
    outputs: dict[str, list[dict]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    total: float = 0.0

    def images(self, node: str) -> list[dict]:
        """All pictures that the node showed, as `Client.fetch` takes them."""
        return [image for shown in self.outputs.get(node, []) for image in shown.get("images", [])]

    def texts(self, node: str) -> list[str]:
        """The text that the node showed last; one for each item if it got a list."""
        shown = self.outputs.get(node)
        return [str(text) for text in shown[-1].get("text", [])] if shown else []


class NodeClock:
    """Sums up in `seconds` how long each node ran, from the host's 'executing' messages."""

    def __init__(self, seconds: dict[str, float]):
        self._seconds = seconds
        self._node: str | None = None
        self._since = 0.0

    def see(self, event: Event) -> None:
        """Takes note of an event; call it for every event in order."""
        if event.kind not in ("executing", "execution_success", "execution_error"):
            return
        if self._node is not None:
            ran = event.seconds - self._since
            self._seconds[self._node] = self._seconds.get(self._node, 0.0) + ran
        self._node, self._since = node_of(event.data), event.seconds


def take(run: Run, event: Event, prompt: dict) -> None:
    """Adds an event's content to the run. Raises RunError if the event ends the run early."""
    kind, data = event.kind, event.data
    if kind == "executed" and data.get("output"):
        run.outputs.setdefault(node_of(data) or "", []).append(data["output"])
    elif kind == "execution_interrupted":
        raise RunError("Cancelled", name_of(data.get("node_id"), prompt), "interrupted")
    elif kind == "execution_error":
        message = data.get("exception_message", "").strip()
        if data.get("exception_type") == "ExecutionBlocked":  # other nodes still run
            run.blocked.append(message.removeprefix("Execution Blocked: "))
            return
        node = name_of(data.get("node_id"), prompt)
        raise RunError(message, node, data.get("exception_type", ""))


def refusal(reply: dict, prompt: dict) -> RunError:
    """The error for a prompt that does not pass validation, with one line for each problem."""
    error = reply.get("error", "")
    lines = [error.get("message", "") if isinstance(error, dict) else str(error)]
    if isinstance(error, dict) and error.get("details"):
        lines[0] += f": {error['details']}"
    nodes = reply.get("node_errors") or {}
    for node, report in nodes.items():
        for error in report.get("errors", []):
            lines.append(f"{name_of(node, prompt)}: {error.get('message')}: {error.get('details')}")
    first = name_of(next(iter(nodes)), prompt) if nodes else ""
    return RunError("\n".join(lines), first, "refused")


def node_of(data: dict) -> str | None:
    """The id of the node that a message is about. A clone in a loop has the original node's id."""
    return data.get("display_node") or data.get("node")


def name_of(node: str | None, prompt: dict) -> str:
    """Title and id of a node for people; the id alone if the prompt does not have it."""
    known = prompt.get(node or "")
    if not known:
        return node or ""
    return f"{known.get('_meta', {}).get('title') or known['class_type']} ({node})"
