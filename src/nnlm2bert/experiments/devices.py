"""Where an experiment is measured: on a GPU if one is there and of use, else on the CPU."""

from __future__ import annotations

from collections.abc import Sequence

from nnlm2bert.experiments.runner import Experiment, plan


def choose_device(experiment: Experiment, scale: str = "laptop") -> str:
    """Return "cuda" if a setting of the experiment can use a GPU and one is there, else "cpu"."""
    if not any(map(experiment.on_gpu, experiment.arms(scale))):
        return "cpu"
    from nnlm2bert.training import devices

    return devices.choose_device("auto").type


def where(
    experiment: Experiment, scale: str, device: str, arms: Sequence[str] | None = None
) -> str:
    """Say in a sentence where `runner.run` measures the arms when it is given this device."""
    jobs = plan(experiment, scale, (0,), arms)
    if not any(experiment.on_gpu(job.arm) for job in jobs):
        return f"{experiment.title}: measured on the CPU; this experiment cannot use a GPU."
    if device == "cpu":
        return f"{experiment.title}: measured on the CPU."
    others = sum(job.device(device) == "cpu" for job in jobs)
    rest = f"; {others} of {len(jobs)} settings, which cannot use it, on the CPU" if others else ""
    return f"{experiment.title}: measured on the GPU{rest}."
