"""Sample in two parts with a composite between them (section 3.5, equations 4 to 6)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.method import sampling
from ..amodal.method.sampling import ExactX
from . import progress
from .common import CATEGORY, aliases, names_itself
from .sampler_segment import (
    Segment,
    exact_of,
    fitted_latent,
    from_samples,
    marked,
    sample,
    schedule_of,
    to_samples,
    unmarked,
)

SAMPLING = f"{CATEGORY}/mixed context"


class SampleToStep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSampleToStep",
            **aliases("ksampler advanced", "start and end step", "partial sampling"),
            display_name="Sample To Step (Amodal)",
            category=SAMPLING,
            description="Samples steps 0 to k and stops there (section 3.5, equation 4). Resume "
            "From Step goes on from there; with samplers that keep nothing from earlier steps, "
            "such as ddim and euler, the result is bit for bit that of one run.",
            inputs=[
                io.Noise.Input("noise", tooltip="The noise to start from, such as Random Noise."),
                io.Guider.Input(
                    "guider",
                    tooltip="Model and prompts for the swapped background, such as "
                    "CFG Guider with Inpaint Model Conditioning.",
                ),
                io.Sampler.Input("sampler", tooltip="Any sampler; the paper uses ddim."),
                io.Sigmas.Input(
                    "sigmas", tooltip="The whole schedule; the paper uses ddim_uniform, 50 steps."
                ),
                io.Latent.Input(
                    "latent",
                    tooltip="The latent of the swapped background, or an empty one. Not that of "
                    "the original picture: the occluder would leak into the result.",
                ),
                io.Float.Input(
                    "k",
                    default=20.0,
                    min=0.0,
                    max=10000.0,
                    step=0.01,
                    tooltip="The step at which contexts mix. Below 1 it is a fraction of all "
                    "steps. The paper uses 20 of 50.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The noisy latent at step k."),
                io.Latent.Output(
                    display_name="preview",
                    tooltip="The model's estimate of the clean latent at step k. Decode it to see "
                    "the object form.",
                ),
                io.Sigmas.Output(display_name="sigmas", tooltip="The schedule from k on."),
                io.Int.Output(display_name="k", tooltip="k as a step."),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, noise, guider, sampler, sigmas, latent, k):
        sigmas = sampling.check_sigmas(sigmas, least_steps=2)
        image = fitted_latent(guider.model_patcher, latent, "latent")
        step = sampling.resolve_k(k, len(sigmas) - 1)
        mask, segment = latent.get("noise_mask"), Segment(sampler, 0, step)
        tell = progress.teller(cls.hidden, "the object on the swapped background", len(sigmas) - 1)
        x, x0 = sample(noise, guider, segment, sigmas, latent, image, mask, tell)
        sigma = float(sigmas[step])
        samples = to_samples(guider.model_patcher, x, sigma)
        kept_noise = None if mask is None or segment.noise is None else segment.noise.to(x.device)
        exact = ExactX(x, samples, sigma, image, sigmas, step, kept_noise)
        clean = samples if x0 is None else guider.model_patcher.model.process_latent_out(x0)
        return io.NodeOutput(
            marked(latent, exact), unmarked(latent, clean), sigmas[step:].clone(), step
        )


class NoiseToStep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalNoiseToStep",
            display_name="Noise To Step (Amodal)",
            category=SAMPLING,
            description="Adds noise to a clean latent, up to the noise level of step k "
            "(AddNoise in section 3.5, equation 5).",
            inputs=[
                io.Model.Input("model", tooltip="The model whose noise scaling is used."),
                io.Noise.Input(
                    "noise", tooltip="The noise, usually the one given to Sample To Step."
                ),
                io.Sigmas.Input("sigmas", tooltip="The remaining SIGMAS of Sample To Step."),
                io.Latent.Input("latent", tooltip="The clean latent of the removed background."),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="The latent at step k.")],
        )

    @classmethod
    @names_itself
    def execute(cls, model, noise, sigmas, latent):
        sigma = float(sampling.check_sigmas(sigmas)[0])
        image = fitted_latent(model, latent, "latent")
        drawn = noise.generate_noise({**latent, "samples": image})
        x = from_samples(model, image, sigma, drawn)
        return io.NodeOutput(marked(latent, ExactX(x, to_samples(model, x, sigma), sigma, image)))


class CompositeAtStep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCompositeAtStep",
            display_name="Composite At Step (Amodal)",
            category=SAMPLING,
            description="Puts the noisy object on the noisy removed background (section 3.5).",
            inputs=[
                io.Latent.Input("object", tooltip="From Sample To Step: the object, at step k."),
                io.Latent.Input("background", tooltip="From Noise To Step, at the same step."),
                io.Mask.Input("mask_at_k", tooltip="M^k: the object's mask at step k."),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="The composite, at step k.")],
        )

    @classmethod
    @names_itself
    def execute(cls, object, background, mask_at_k):
        front, back = (
            sampling.check_picture_latent(sampling.check_latent(latent, name), name)
            for latent, name in ((object, "object"), (background, "background"))
        )
        mask_at_k = validate.as_masks(mask_at_k, None, "mask_at_k")
        small = sampling.latent_mask(mask_at_k, validate.size_of(front))
        samples = sampling.composite(front, back, small)
        if len(samples) != len(front):  # the object was repeated: its noise indices are void
            object = {key: value for key, value in object.items() if key != "batch_index"}
        x_front, x_back = sampling.exact_x(object), sampling.exact_x(background)
        if x_front is None or x_back is None:
            return io.NodeOutput(unmarked(object, samples))
        sampling.check_sigma(x_back.sigma, x_front.sigma, "object")
        exact = x_front.but(
            x=sampling.composite(x_front.x, x_back.x, small),
            belongs_to=samples,
            image=sampling.composite(x_front.image, x_back.image, small),
        )
        return io.NodeOutput(marked(object, exact))


class ResumeFromStep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalResumeFromStep",
            **aliases("ksampler advanced", "start and end step", "continue sampling"),
            display_name="Resume From Step (Amodal)",
            category=SAMPLING,
            description="Samples from step k to the end (section 3.5, equation 6). The sampler's "
            "history restarts at step k.",
            inputs=[
                io.Noise.Input("noise", tooltip="The noise given to Sample To Step."),
                io.Guider.Input("guider", tooltip="Model and prompts for the original picture."),
                io.Sampler.Input("sampler", tooltip="The sampler given to Sample To Step."),
                io.Sigmas.Input("sigmas", tooltip="The remaining SIGMAS of Sample To Step."),
                io.Latent.Input("latent", tooltip="A latent at step k."),
                io.Latent.Input(
                    "image_latent",
                    optional=True,
                    tooltip="Only for a noise mask: the clean latent to keep outside it. Leave it "
                    "open to keep the latent that sampling started from.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The finished latent, to decode."),
                io.Latent.Output(
                    display_name="denoised", tooltip="The last estimate of the clean latent."
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, noise, guider, sampler, sigmas, latent, image_latent=None):
        patcher = guider.model_patcher
        sigmas = sampling.check_sigmas(sigmas)
        exact = exact_of(patcher, latent, sigmas)
        image, mask = exact.image, latent.get("noise_mask")
        if image_latent is not None:
            image = fitted_latent(patcher, image_latent, "image_latent")
            sampling.check_alike(image, exact.x, "image_latent", "latent")
            image = sampling.repeat_to(image, len(exact.x), "image_latent")
            mask = image_latent.get("noise_mask", mask)
        whole, first = schedule_of(exact, sigmas)
        segment = Segment(sampler, first, len(whole) - 1, exact.x)
        tell = progress.teller(cls.hidden, "the object in the picture", len(whole) - 1)
        x, x0 = sample(noise, guider, segment, whole, latent, image, mask, tell)
        end = to_samples(patcher, x, float(whole[-1]))
        clean = end if x0 is None else patcher.model.process_latent_out(x0)
        return io.NodeOutput(unmarked(latent, end), unmarked(latent, clean))


NODES = [SampleToStep, NoiseToStep, CompositeAtStep, ResumeFromStep]
