"""Gamma and beta numbers that belong to a sample: made of its uniform draws, so many each time.

Source of the method: Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM
TOMS 26, 2000). Theirs repeats until a proposal is accepted, which at least 95 % of them are for the
shapes used here (>= 1); ours makes ``_TRIES`` proposals at once and takes the first that is
accepted, so the law is exact but for the 1 in 10**10 of numbers with none (they get the last one).
"""

from __future__ import annotations

import math

import torch

from domainkit.draws import Draws

__all__ = ["betas", "dirichlet", "log_gammas"]

_TRIES = 8
_EACH = 3 * _TRIES + 1  # uniforms per gamma number


def log_gammas(draws: Draws, n: int, alpha: float, *, start: int = 0) -> torch.Tensor:
    """float64 [B, n]: logarithms of Gamma(alpha, 1) numbers, which may be too small themselves.

    Uses the numbers ``start`` to ``start + 25 * n`` of the draws.
    """
    u = _open_unit(draws, _EACH * n, start).unflatten(1, (n, _EACH))
    # Gamma(a) = Gamma(a + 1) * U ** (1 / a): the method wants a shape >= 1
    boost = u[..., -1].log() / alpha if alpha < 1 else torch.zeros_like(u[..., -1])
    d = (alpha + 1 if alpha < 1 else alpha) - 1 / 3
    first, second, third = u[..., :-1].unflatten(-1, (3, _TRIES)).unbind(-2)
    z = (-2 * first.log()).sqrt() * torch.cos(2 * math.pi * second)
    root = 1 + z / math.sqrt(9 * d)
    log_v = 3 * root.clamp(min=1e-300).log()
    accepted = (root > 0) & (third.log() < 0.5 * z * z + d - d * log_v.exp() + d * log_v)
    accepted[..., -1].fill_(True)  # assigned, it would be a tensor of the host in a graph
    at = accepted.to(torch.int8).argmax(-1, keepdim=True)  # the first of the largest
    return math.log(d) + log_v.gather(-1, at)[..., 0] + boost


def betas(draws: Draws, alpha: float, *, start: int = 0) -> torch.Tensor:
    """float64 [B]: Beta(alpha, alpha) numbers in [0, 1].

    Example:
        >>> bool((betas(Draws(0, 0, torch.arange(9)), 0.2) <= 1).all())
        True
    """
    if alpha == 1:  # the uniform law
        return _open_unit(draws, 1, start)[:, 0]
    logs = log_gammas(draws, 2, alpha, start=start)
    return torch.sigmoid(logs[:, 0] - logs[:, 1])  # g0 / (g0 + g1)


def dirichlet(draws: Draws, n: int, alpha: float, *, start: int = 0) -> torch.Tensor:
    """float64 [B, n]: numbers of the symmetric Dirichlet law; rows add up to 1."""
    if alpha == 1:  # Gamma(1) is the exponential law
        logs = (-_open_unit(draws, n, start).log()).log()
    else:
        logs = log_gammas(draws, n, alpha, start=start)
    return torch.softmax(logs, 1)


def _open_unit(draws: Draws, n: int, start: int) -> torch.Tensor:
    """float64 [B, n] in the open interval (0, 1), 32 bits each: no logarithm of 0."""
    return (draws.bits(n, start=start).to(torch.float64) + 0.5) * 2.0**-32
