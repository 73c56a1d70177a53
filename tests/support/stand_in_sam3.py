"""SAM 3 without its weights: a stand-in for the host's node, and a net for the node itself.

Both know the made-up world of `stand_ins` by its colours. On a host that has no SAM3_Detect, the
stand-in has its place, with the same inputs and outputs (those of ComfyUI 0.33). On a host that has
it, the host's node runs, and only the net below it is made up. Import after the host.
"""

import json
from types import SimpleNamespace

import comfy.model_management as management
import comfy.model_patcher
import torch
from comfy_api.latest import io
from scipy import ndimage
from stand_ins import COLOURS, coloured

import nodes as host_nodes

NODE, LOADER = "SAM3_Detect", "CheckpointLoaderSimple"
FILE = "sam3.1_multiplex_fp16.safetensors"
REAL = NODE in host_nodes.NODE_CLASS_MAPPINGS
SCORE = 0.75  # of every object; a third less for each further one of the same name
SIDE = 1008  # of the pictures that the host's node gives its net


def instances(image: torch.Tensor, word: str) -> list[tuple[torch.Tensor, float]]:
    """(mask [H, W], score) of each connected part of the word's colour, the largest first."""
    if word not in COLOURS:
        return []
    labels, count = ndimage.label(coloured(image, COLOURS[word]).numpy())
    parts = [torch.from_numpy(labels == i + 1) for i in range(count)]
    parts.sort(key=lambda part: -int(part.sum()))
    return [(part, SCORE * (2 / 3) ** i) for i, part in enumerate(parts)]


def at(image: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The bright colour [H, W] bool that covers most of a place [H, W]; empty if none does."""
    every = [coloured(image, channel) for channel in range(3)]
    best = max(every, key=lambda mask: int((mask & place).sum()))
    return best if (best & place).any() else torch.zeros_like(best)


def inside(shape, x0: float, y0: float, x1: float, y1: float) -> torch.Tensor:
    place = torch.zeros(shape, dtype=torch.bool)
    place[max(0, round(y0)) : round(y1), max(0, round(x0)) : round(x1)] = True
    return place


def box_of(mask: torch.Tensor) -> list[int]:
    rows, columns = torch.nonzero(mask, as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


class StandInSam3Detect(io.ComfyNode):
    """In the place of the host's SAM3_Detect: its inputs and outputs, one picture, no network."""

    @classmethod
    def define_schema(cls):
        box = io.Custom("BOUNDING_BOX")
        return io.Schema(
            node_id=NODE,
            display_name="Stand-in for SAM3 Detect",
            category="test",
            inputs=[
                io.Model.Input("model"),
                io.Image.Input("image"),
                io.Conditioning.Input("conditioning", optional=True),
                box.Input("bboxes", optional=True),
                io.String.Input("positive_coords", force_input=True, optional=True),
                io.String.Input("negative_coords", force_input=True, optional=True),
                io.Float.Input("threshold", default=0.5, min=0.0, max=1.0, step=0.01),
                io.Int.Input("refine_iterations", default=2, min=0, max=5),
                io.Boolean.Input("individual_masks", default=False),
            ],
            outputs=[io.Mask.Output("masks"), box.Output("bboxes")],
        )

    @classmethod
    def execute(
        cls,
        model,
        image,
        conditioning=None,
        bboxes=None,
        positive_coords=None,
        negative_coords=None,
        threshold=0.5,
        refine_iterations=2,
        individual_masks=False,
    ):
        assert image.shape[0] == 1 and image.shape[-1] == 3 and 0 <= threshold <= 1
        picture, masks, boxes = image[0], [], []
        if positive_coords:
            place = torch.zeros(picture.shape[:2], dtype=torch.bool)
            for point in json.loads(positive_coords):
                place[int(point["y"]), int(point["x"])] = True
            masks.append(at(picture, place))
        for box in bboxes[0] if bboxes else ():
            x, y = box["x"], box["y"]
            place = inside(picture.shape[:2], x, y, x + box["width"], y + box["height"])
            masks.append(at(picture, place))
        for word, most in conditioning[0][1]["words"] if conditioning else ():
            found = [pair for pair in instances(picture, word) if pair[1] > threshold][:most]
            masks += [mask for mask, _ in found]
            for mask, score in found:
                x0, y0, x1, y1 = box_of(mask)
                boxes.append({"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0})
                boxes[-1]["score"] = score
        stacked = torch.stack(masks).float() if masks else torch.zeros(0, *picture.shape[:2])
        assert individual_masks
        return io.NodeOutput(stacked, [boxes])


class ReadsWords:
    """In the place of SAM 3's text encoder. It reads `cat:5, traffic light` as the host's does."""

    def tokenize(self, text: str) -> list[tuple[str, int]]:
        parts = [part.strip() for part in text.replace("(", "").replace(")", "").split(",")]
        pairs = [part.rsplit(":", 1) if ":" in part else (part, 1) for part in parts if part]
        return [(word.strip(), int(most)) for word, most in pairs]

    def encode_from_tokens_scheduled(self, tokens) -> list:
        """The words, both as they are and as the embeddings that `SeesColours` understands."""
        known = list(COLOURS)
        entries = [
            {
                "cond": torch.full((1, 2, 4), float(known.index(word) if word in known else -1)),
                "attention_mask": None,
                "max_detections": most,
            }
            for word, most in tokens
        ]
        about = {"words": tokens, "sam3_multi_cond": entries, "attention_mask": None}
        return [[entries[0]["cond"], about]]


class SeesColours(torch.nn.Module):
    """In the place of the host's SAM3Model, below the host's own SAM3_Detect."""

    def forward(self, frame, text_embeddings, text_mask, boxes, threshold, orig_size):
        image, known = frame[0].movedim(0, -1), list(COLOURS)
        number = int(text_embeddings[0, 0, 0])
        found = instances(image, known[number]) if number >= 0 else []
        found.append((inside((SIDE, SIDE), 0, 0, 9, 9), 1e-4))  # queries that see nothing
        height, width = orig_size
        scale = torch.tensor([width, height, width, height]) / SIDE
        rows = [torch.tensor(box_of(mask)) * scale for mask, _ in found]
        logits = torch.tensor([score for _, score in found]).logit()
        masks = [mask.float() * 20 - 10 for mask, _ in found]
        stacked = torch.stack(masks)[None]
        full = torch.nn.functional.interpolate(stacked, size=orig_size, mode="bilinear")
        return {"boxes": torch.stack(rows)[None], "scores": logits[None], "masks": full}

    def forward_segment(self, frame, point_inputs=None, box_inputs=None, mask_inputs=None):
        image = frame[0].movedim(0, -1)
        place = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        if point_inputs is not None:
            for x, y in point_inputs["point_coords"][0].tolist():
                place[min(SIDE - 1, int(y)), min(SIDE - 1, int(x))] = True
        elif box_inputs is not None:
            place = inside(place.shape, *box_inputs[0].flatten().tolist())
        else:
            place = mask_inputs[0, 0] > 0
        return (at(image, place).float() * 20 - 10)[None, None]


class Net(torch.nn.Module):
    """What a MODEL holds."""

    def __init__(self):
        super().__init__()
        self.diffusion_model = SeesColours()
        self.device = torch.device("cpu")

    def get_dtype(self):
        return torch.float32

    def memory_required(self, *_, **__):
        return 0


def model_and_clip() -> tuple:
    """A MODEL of `SeesColours` and its text encoder."""
    if not REAL:
        return SimpleNamespace(model=Net()), ReadsWords()
    patcher = comfy.model_patcher.ModelPatcher(
        Net(), load_device=management.get_torch_device(), offload_device=torch.device("cpu")
    )
    return patcher, ReadsWords()


def put(monkeypatch) -> None:
    """Gives the host a SAM3_Detect if it has none, and a loader that makes FILE's model up."""
    registry = host_nodes.NODE_CLASS_MAPPINGS
    if not REAL:
        monkeypatch.setitem(registry, NODE, StandInSam3Detect)
    other = registry[LOADER]

    class StandInLoader(other):
        """In the place of the host's checkpoint loader, for FILE."""

        def load_checkpoint(self, ckpt_name):
            if ckpt_name.endswith(FILE):
                return (*model_and_clip(), None)
            return super().load_checkpoint(ckpt_name)

    monkeypatch.setitem(registry, LOADER, StandInLoader)
