"""Tasks of test_diffusers.py, each in a process of its own: python diffusers_worker.py TASK FOLDER

make     diffusers walks from one noise with each of its schedulers of CASES, and what it starts from is written down
walk     kzoo on the backend of KERAS_BACKEND takes the same steps
"""

import itertools
import sys
from pathlib import Path

import numpy as np

LENGTH, STEPS, SHAPE = 1000, 20, (2, 6, 5, 1)
SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
PREDICTIONS = {"epsilon": "epsilon", "x0": "sample", "v": "v_prediction"}
SAMPLERS = ("ddpm", "ddim", "dpm_solver")
SPACINGS = ("leading", "trailing", "linspace")
CASES = list(itertools.product(SAMPLERS, SCHEDULES, PREDICTIONS, SPACINGS))
ETA = 0.5


def case(*words):
    return "-".join(words)


def answers(x, t, prediction, sin):
    """No diffusion model of anything, but a smooth function of both, about as large as what it stands for."""
    return 0.5 * sin(2 * x + t / 300) + (0.4 * x if prediction == "epsilon" else 0.1 * x)


def noise(seed):
    return np.random.default_rng(seed).normal(size=SHAPE).astype("float32")


def _schedulers(schedule, prediction, spacing):
    import diffusers

    shared = {
        "num_train_timesteps": LENGTH,
        "beta_schedule": SCHEDULES[schedule],
        "prediction_type": PREDICTIONS[prediction],
        "timestep_spacing": spacing,
    }
    return {
        "ddpm": diffusers.DDPMScheduler(**shared, clip_sample=True),
        "ddim": diffusers.DDIMScheduler(**shared, clip_sample=False),
        "dpm_solver": diffusers.DPMSolverMultistepScheduler(**shared),
    }


def _in_float64(schedule):
    """The product of 1 - beta.

    diffusers makes it in float32, of betas in float32: the end of "cosine" is off by 1.3e-5 of itself there, and where
    the noise is predicted, so is all that follows from it.
    """
    if schedule == "linear":
        betas = np.linspace(1e-4, 0.02, LENGTH)
    else:
        left = np.cos((np.arange(LENGTH + 1) / LENGTH + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - left[1:] / left[:-1], 0.999)
    return np.cumprod(1 - betas)


def _way(scheduler, prediction, **options):
    """All states, the noise first."""
    import torch

    scheduler.set_timesteps(STEPS)
    x = torch.from_numpy(noise(0))
    states = [x.numpy()]
    for t in scheduler.timesteps:
        x = scheduler.step(answers(x, int(t), prediction, torch.sin), t, x, **options).prev_sample
        states.append(x.numpy())
    return np.stack(states)


def _make(root: Path) -> None:
    """Every state on the way, so that single steps can be compared, too."""
    import torch

    found = {}
    for schedule, prediction, spacing in itertools.product(SCHEDULES, PREDICTIONS, SPACINGS):
        for sampler, scheduler in _schedulers(schedule, prediction, spacing).items():
            options = {"generator": torch.Generator().manual_seed(1)} if sampler == "ddpm" else {}
            name = case(sampler, schedule, prediction, spacing)
            found[f"{name}-states"] = _way(scheduler, prediction, **options)
            found[f"{name}-timesteps"] = scheduler.timesteps.numpy()
            if sampler == "ddim":
                scheduler.register_to_config(clip_sample=True)
                t, x = scheduler.timesteps[3], torch.from_numpy(noise(0))
                options = {"eta": ETA, "variance_noise": torch.from_numpy(noise(2)), "use_clipped_model_output": True}
                made = scheduler.step(answers(x, int(t), prediction, torch.sin), t, x, **options).prev_sample
                found[f"{name}-noisy"] = made.numpy()
        for sampler, scheduler in _schedulers(schedule, prediction, spacing).items():
            if sampler != "ddpm":
                scheduler.alphas_cumprod = torch.from_numpy(_in_float64(schedule))
                found[f"{case(sampler, schedule, prediction, spacing)}-whole"] = _way(scheduler, prediction)
    for schedule in SCHEDULES:
        scheduler = _schedulers(schedule, "v", "leading")["ddpm"]
        found[f"{schedule}-squared"] = scheduler.alphas_cumprod.numpy()
        timesteps = torch.tensor([0, 999])
        images, added = torch.from_numpy(noise(3)), torch.from_numpy(noise(4))
        found[f"{schedule}-q_sample"] = scheduler.add_noise(images, added, timesteps).numpy()
        found[f"{schedule}-v"] = scheduler.get_velocity(images, added, timesteps).numpy()
    # The noise of DDPM's steps: the same draws in the same order.
    generator = torch.Generator().manual_seed(1)
    found["draws"] = np.stack([torch.randn(SHAPE, generator=generator).numpy() for _ in range(STEPS)])
    np.savez(root / "theirs.npz", **found)


def _walk(root: Path) -> None:
    import kzoo  # isort: skip
    from keras import ops

    from kzoo.ops import denoising, diffusion

    theirs, found = dict(np.load(root / "theirs.npz")), {}

    def x0_of(plan, i, x, prediction, clip):
        now = denoising.Plan(*(part[i] for part in plan.rounded()))
        said = answers(x, int(now.timestep), prediction, ops.sin)
        x0 = diffusion.to_x0(prediction, said, x, now.alpha, now.sigma)
        return now, (ops.clip(x0, -1, 1) if clip else x0)

    def alone(plan, i, x, prediction, z=None, clip=False, before=None):
        """Step i of a plan from a given state."""
        x = ops.convert_to_tensor(x)
        now, x0 = x0_of(plan, i, x, prediction, clip)
        new = now.of_x * x + now.of_x0 * x0
        if before is not None:
            new = new + now.of_before * x0_of(plan, i - 1, ops.convert_to_tensor(before), prediction, clip)[1]
        return ops.convert_to_numpy(new if z is None else new + now.of_noise * ops.convert_to_tensor(z))

    for sampler, schedule, prediction, spacing in CASES:
        name, table = case(sampler, schedule, prediction, spacing), diffusion.noise_schedule(schedule, LENGTH)
        states = theirs[f"{name}-states"]
        # diffusers' solver takes one step more for these two and leaves out the one at the timestep 0.
        more = sampler == "dpm_solver" and spacing != "trailing"
        asked = denoising.timesteps(LENGTH, STEPS + more, spacing)[:STEPS]
        found[f"{name}-timesteps"] = asked
        plan, made = denoising.plan(sampler, table, asked), []
        for i, t in enumerate(asked):
            if sampler == "ddpm":
                made.append(alone(plan, i, states[i], prediction, theirs["draws"][i], clip=True))
            elif sampler == "dpm_solver":
                made.append(alone(plan, i, states[i], prediction, before=states[i - 1] if i else None))
            else:
                # diffusers' step has one length, n // s, also where "linspace" has another.
                pair = [t, t - LENGTH // STEPS] if t >= LENGTH // STEPS else [t]
                made.append(alone(denoising.plan(sampler, table, pair), 0, states[i], prediction))
                if i == 3:
                    step = denoising.plan(sampler, table, pair, ETA)
                    found[f"{name}-noisy"] = alone(step, 0, noise(0), prediction, noise(2), clip=True)
        found[f"{name}-steps"] = np.stack(made)
        if sampler == "dpm_solver" or (sampler == "ddim" and spacing != "linspace"):

            def predict(x, t, prediction=prediction):
                return answers(x, ops.cast(t, "float32"), prediction, ops.sin)

            whole = denoising.denoise(predict, noise(0), plan.rounded(), prediction, clip=False, keep=True)
            found[f"{name}-whole"] = ops.convert_to_numpy(whole[1])
    for schedule in SCHEDULES:
        table = diffusion.noise_schedule(schedule, LENGTH)
        found[f"{schedule}-squared"] = table.alpha**2
        alpha, sigma = (diffusion.at(part, ops.convert_to_tensor([0, 999])) for part in table)
        images, added = ops.convert_to_tensor(noise(3)), ops.convert_to_tensor(noise(4))
        found[f"{schedule}-q_sample"] = ops.convert_to_numpy(diffusion.q_sample(images, added, alpha, sigma))
        found[f"{schedule}-v"] = ops.convert_to_numpy(diffusion.target("v", images, added, alpha, sigma))
    np.savez(root / f"{kzoo.backend.name()}.npz", **found)


if __name__ == "__main__":
    {"make": _make, "walk": _walk}[sys.argv[1]](Path(sys.argv[2]))
