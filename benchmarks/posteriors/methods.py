"""What is compared: the ``[algorithm]`` table of each method, for so many evaluations."""

from __future__ import annotations

LEAPFROG_STEPS = 20


def chain(name: str, particles: int, evaluations: int, per_step: float = 1.0, **more) -> dict:
    """A quarter of the evaluations is warm-up, at most 200 iterations, and a quarter of the rest burn-in."""
    warm_up = min(200, evaluations // particles // 4)
    sampling = max(9, int((evaluations - warm_up * particles) / particles / per_step))
    iterations, burn_in = warm_up + sampling, warm_up + sampling // 4
    return {
        **{"name": name, "particles": particles, "iterations": iterations, "burn_in": burn_in, "warm_up": warm_up},
        **{"warm_up_step_size": 0.1, **more},
    }


def advi(covariance: str, evaluations: int, **more) -> dict:
    """Until the ELBO no longer rises, at most so many evaluations."""
    return {
        **{"name": "advi", "covariance": covariance, "iterations": evaluations // 4, "samples_per_step": 4},
        **{"step_size": 0.05, "draws": 5000, **more},
    }


def svgd(particles: int, evaluations: int, **more) -> dict:
    """With ADAM and a slowly decaying step size."""
    iterations = max(2, evaluations // particles)
    return {"name": "svgd", "particles": particles, "iterations": iterations, "step_size": 0.1, "step_decay": 0.01, **more}


def methods(evaluations: int, d: int) -> dict[str, dict]:
    """Settings by the label of the method; without those that would take hours."""
    n, rank = 20, min(d, 250)
    table = {
        "Pathfinder": {"name": "pathfinder", "paths": 8, "iterations": max(2, evaluations // 48)},
        "ADVI mean-field": advi("mean-field", evaluations),
        "ADVI low-rank": advi("low-rank", evaluations, rank=min(d, 50)),
        "ADVI structured": advi("structured", evaluations, reach=1),
        "ADVI full-rank": advi("full-rank", evaluations, step_size=0.02) if d <= 500 else None,
        "SVGD": svgd(100, evaluations),
        "SVGD low-rank metric": svgd(100, evaluations, metric="low-rank", rank=rank),
        "SVGD local": svgd(100, evaluations, kernel="local") if evaluations <= 20_000 else None,
        "SVGD annealed": svgd(100, evaluations, annealing=max(1, evaluations // 200), cycles=3),
        "SVGD projected": {**svgd(100, evaluations), "name": "projected-svgd", "rank": rank},
        "sSVGD (as published)": chain("ssvgd", n, evaluations, metric="none"),
        "sSVGD": chain("ssvgd", n, evaluations),
        "sSVGD low-rank metric": chain("ssvgd", n, evaluations, metric="low-rank", rank=rank),
        "sSVGD adjusted": chain("ssvgd", n, evaluations, adjusted=True),
        "sSVGD adjusted, low-rank metric": chain("ssvgd", n, evaluations, adjusted=True, metric="low-rank", rank=rank),
        "SGLD": chain("sgld", n, evaluations),
        "SGLD RMSProp": chain("sgld", n, evaluations, metric="rmsprop"),
        "SGLD low-rank metric": chain("sgld", n, evaluations, metric="low-rank", rank=rank),
        "MALA": chain("mala", n, evaluations),
        "MALA low-rank metric": chain("mala", n, evaluations, metric="low-rank", rank=rank),
        "HMC": chain("hmc", n, evaluations, (LEAPFROG_STEPS + 1) / 2, leapfrog_steps=LEAPFROG_STEPS),
        "HMC low-rank metric": chain("hmc", n, evaluations, 3, leapfrog_steps=5, metric="low-rank", rank=rank),
        "Metropolis": chain("metropolis", n, evaluations, metric="covariance" if d <= 400 else "variance"),
    }
    if d <= 10 or (d <= 100 and evaluations <= 5000):
        table["flow"] = {
            **{"name": "flow", "iterations": evaluations // 20, "samples_per_step": 20, "step_size": 0.005},
            **{"transforms": 4, "draws": 5000},
        }
    return {label: settings for label, settings in table.items() if settings is not None}
