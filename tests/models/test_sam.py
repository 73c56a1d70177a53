"""SAM: files of all sizes, and the same masks as the authors' predictor."""

import pytest
import torch
from model_files import small_sam

from amodal.core.errors import BadInput
from amodal.models import sam


@pytest.fixture(scope="module")
def theirs():
    return small_sam()


@pytest.fixture(scope="module")
def ours(theirs):
    return sam.net_of(theirs.state_dict(), "small.pth")


def test_sizes_are_read_from_the_file(theirs, ours):
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    blocks = ours.image_encoder.blocks
    assert [block.window_size for block in blocks] == [3, 0, 3]
    assert blocks[0].attn.num_heads == 2 and ours.image_encoder.img_size == 128
    assert ours.image_encoder.blocks[0].norm1.eps == 1e-6


@pytest.mark.parametrize("size", [(96, 128), (150, 60), (128, 128)])
def test_masks_are_those_of_the_authors_predictor(theirs, ours, size):
    from segment_anything import SamPredictor

    image = torch.rand(*size, 3, generator=torch.Generator().manual_seed(1))
    image = (image * 255).round() / 255
    boxes = torch.tensor([[5.0, 8, 40, 50], [20, 30, 55, 90]])
    points = torch.tensor([[[10.0, 12], [30, 40]]])
    predictor = SamPredictor(theirs)
    masker = sam.Masker(ours)
    inner = masker.inner_size(image)
    assert inner == predictor.transform.get_preprocess_shape(*size, 128)
    pixels = image.movedim(-1, 0)[None] * 255  # apply_image_torch takes the batch for the height
    scaled = torch.nn.functional.interpolate(pixels, inner, mode="bilinear", antialias=True)
    with torch.no_grad():
        predictor.set_torch_image(scaled, size)
        transform = predictor.transform
        want = predictor.predict_torch(
            None, None, transform.apply_boxes_torch(boxes, size), multimask_output=False
        )
        want_three = predictor.predict_torch(
            transform.apply_coords_torch(points, size), torch.ones(1, 2), multimask_output=True
        )
    for (masks, quality), (mask, likely, _) in (
        (masker.masks(image, boxes=boxes), want),
        (masker.masks(image, points=points, several=True), want_three),
    ):
        assert masks.shape == mask.shape and masks.shape[-2:] == size
        assert (masks != mask).float().mean() < 1e-4
        assert torch.allclose(quality, likely.clamp(0, 1), atol=1e-4)
    assert 0 < masks.float().mean() < 1


def test_a_picture_is_encoded_once_for_all_prompts(ours):
    masker, calls = sam.Masker(ours), []
    hook = ours.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    image = torch.rand(60, 80, 3)
    boxes = torch.tensor([[1.0, 1, 20, 20]] * 20)
    masks, _ = masker.masks(image, boxes=boxes)
    masker.masks(image.clone(), points=torch.tensor([[[3.0, 4.0]]]))
    assert len(masks) == 20 and len(calls) == 1
    masker.masks(image + 0.01, boxes=boxes[:1])
    assert len(calls) == 2
    hook.remove()


def test_half_precision_of_the_encoder_gives_the_same_masks(theirs):
    """As on a GPU. The embedding is float32."""
    image = torch.rand(96, 128, 3, generator=torch.Generator().manual_seed(1))
    boxes = torch.tensor([[5.0, 8, 40, 50], [20, 30, 55, 90]])
    whole, half = (
        sam.Masker(sam.net_of(theirs.state_dict(), "small.pth"), half=half)
        for half in (False, True)
    )
    (want, likely), (masks, quality) = (one.masks(image, boxes=boxes) for one in (whole, half))
    assert next(half.net.image_encoder.parameters()).dtype == torch.float16
    assert half.embedding.dtype == torch.float32 and not torch.equal(
        half.embedding, whole.embedding
    )
    assert (masks != want).float().mean() < 0.02
    assert torch.allclose(quality, likely, atol=0.02) and quality.dtype == torch.float32


@pytest.mark.parametrize("change", ["nothing of it", "another decoder"])
def test_a_file_of_another_kind_is_refused_by_name(theirs, change):
    state = {"a.weight": torch.zeros(1)}
    if change == "another decoder":
        lost = "iou_prediction_head.layers.1"
        state = {k: v for k, v in theirs.state_dict().items() if lost not in k}
    with pytest.raises(BadInput, match=r"'masker' names other\.pth, which is not a SAM model"):
        sam.net_of(state, "other.pth", "masker")


def test_the_published_sizes():
    """The shapes of the three files, on the meta device."""
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        for name, heads, whole in (("vit_b", 12, 4), ("vit_l", 16, 4), ("vit_h", 16, 4)):
            state = sam_model_registry[name]().state_dict()
            encoder = sam.image_encoder(state)
            assert encoder.blocks[0].attn.num_heads == heads
            assert sum(block.window_size == 0 for block in encoder.blocks) == whole
            assert {block.window_size for block in encoder.blocks} == {0, 14}
            shapes = {f"image_encoder.{k}": v.shape for k, v in encoder.state_dict().items()}
            assert all(state[k].shape == shape for k, shape in shapes.items())


@torch.inference_mode()
def test_a_file_in_hugging_faces_layout_gives_the_same_masks_as_its_network():
    from transformers import SamConfig, SamModel

    torch.manual_seed(2)
    theirs = SamModel(
        SamConfig(
            vision_config={
                "hidden_size": 32,
                "output_channels": 32,
                "num_hidden_layers": 2,
                "mlp_dim": 64,
                "num_attention_heads": 2,
                "image_size": 128,
                "window_size": 3,
                "num_pos_feats": 16,
                "global_attn_indexes": [1],
            },
            prompt_encoder_config={"hidden_size": 32, "image_size": 128, "mask_input_channels": 16},
            mask_decoder_config={"hidden_size": 32, "mlp_dim": 48, "iou_head_hidden_dim": 24},
        )
    ).eval()
    for weight in theirs.parameters():
        weight.add_(0.3 * torch.randn_like(weight))
    masker = sam.Masker(sam.net_of(dict(theirs.state_dict()), "folder"))
    boxes = torch.tensor([[5.0, 8, 40, 50], [20, 30, 55, 90]])
    pixels = torch.randn(1, 3, 128, 128)
    said = theirs(pixel_values=pixels, input_boxes=boxes[None], multimask_output=False)
    code = masker.net.image_encoder(pixels)
    low, quality = masker.decoded(code, boxes, True, False)
    assert said.pred_masks.std() > 0.05
    assert torch.allclose(low[None], said.pred_masks, atol=1e-4)
    assert torch.allclose(quality[None], said.iou_scores, atol=1e-4)
