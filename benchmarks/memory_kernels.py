"""Kernels of the compressive memory side by side: how fast does each learn the mechanism test?

    python benchmarks/memory_kernels.py --steps 60 --out kernels        # a table, kernels.json and kernels.png

Facts in one segment, asked in another; nothing but the memory joins them. Same frozen base, LoRA and batches, the
same number of steps; seconds per step beside it, for equal time. With one segment of facts `delta` writes what `linear`
writes (its memory is empty), so it isn't run. "no write gate": every token is written in full.
"""

import argparse
import json
from pathlib import Path

from infinidoc.model.base import load_base
from infinidoc.training import examples
from infinidoc.training.run import training_dtype
from infinidoc.training.trainer import Settings, Trainer

VARIANTS = ["least_squares", "linear", "least_squares_dpfp1", "least_squares_dpfp2", "least_squares, no write gate"]
LAST = 10  # steps that a figure is the mean of


def learn(variant: str, steps: int, out: Path) -> list[dict[str, float]]:
    base = load_base()
    base.model.to(training_dtype("auto", base))
    kernel = variant.split(",")[0]
    settings = Settings(kernel=kernel, rank=8, steps=10_000, batch_tokens=700, tasks={"facts": 1.0})
    trainer = Trainer(base, settings, {"facts": lambda rng, difficulty: examples.facts(rng, 3)}, out / variant)
    if "no write gate" in variant:
        for name, parameter in trainer.parameters.items():
            if name.endswith(("write_bias", "write_weight")):
                parameter.data.fill_(1e4 if name.endswith("bias") else 0.0)
                parameter.requires_grad_(False)
    curve: list[dict[str, float]] = []
    trainer.train(
        lambda step: curve.append({"step": step.step, "loss": step.loss, "right": step.right, "seconds": step.seconds}),
        save_every=100_000,
        stop_at=steps,
    )
    return curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("kernels"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "kernels.json"
    curves = json.loads(file.read_text()) if file.exists() else {}
    for variant in VARIANTS:
        if variant not in curves:
            curves[variant] = learn(variant, arguments.steps, arguments.out)
            file.write_text(json.dumps(curves))
        curve = curves[variant]
        marks = " ".join(
            f"{sum(p['right'] for p in curve[max(0, n - LAST) : n]) / LAST:5.2f}"
            for n in range(LAST, len(curve) + 1, LAST)
        )
        print(
            f"{variant:30} {curve[-1]['seconds'] / len(curve):5.1f} s a step   right, by tens of steps: {marks}",
            flush=True,
        )
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for variant, curve in curves.items():
        rights = [p["right"] for p in curve]
        smooth = [sum(rights[max(0, n - LAST + 1) : n + 1]) / min(n + 1, LAST) for n in range(len(rights))]
        axes.plot([p["step"] for p in curve], smooth, label=variant)
    axes.set(xlabel="step", ylabel="answer tokens right", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(arguments.out / "kernels.png", dpi=120)


if __name__ == "__main__":
    main()
