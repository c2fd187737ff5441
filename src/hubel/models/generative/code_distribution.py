"""The distribution that codes are drawn from for new pictures, taken from the codes of pictures there are.

P. Ghosh, M. Sajjadi, A. Vergari, M. Black, B. Schölkopf, From Variational to Deterministic Autoencoders, 2020,
arXiv:1903.12436, section 4: after training, a normal distribution or a mixture of ten is fitted to the codes. A plain
autoencoder has no other; the prior of a variational one has places that no picture's code comes to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CodeDistribution(nn.Module):
    """A mixture of normal distributions; until `fit`, each is the standard one, and so is the mixture.

    Args:
        code_size: Values of a code.
        components: How many normal distributions.

    Raises:
        ValueError: There is no component.
    """

    weights: Tensor  # (K,)
    means: Tensor  # (K, code_size)
    scales: Tensor  # (K, code_size, code_size): the covariances' symmetric roots

    def __init__(self, code_size: int, components: int) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"code_components is {components}: expected at least 1")
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, code_size))
        self.register_buffer("scales", torch.eye(code_size).repeat(components, 1, 1))

    def fit(self, codes: Tensor) -> None:
        """Take the distribution from codes (N, code_size); of one component it is their mean and covariance.

        The same codes give the same mixture.

        Raises:
            ValueError: There are too few codes, or they have another size.
        """
        components, code_size = self.means.shape
        least = max(2, components)
        if codes.ndim != 2 or codes.shape[1] != code_size or len(codes) < least:
            raise ValueError(
                f"codes of shape {tuple(codes.shape)} came: expected (N, {code_size}) of at least {least} pictures"
            )
        values = codes.detach().cpu().double()
        if components == 1:
            weights, means = torch.ones(1), values.mean(dim=0, keepdim=True)
            centred = values - means
            covariances = (centred.T @ centred / (len(values) - 1))[None]
        else:
            from sklearn.mixture import GaussianMixture

            mixture = GaussianMixture(components, random_state=0).fit(values.numpy())
            weights, means, covariances = (
                torch.from_numpy(each) for each in (mixture.weights_, mixture.means_, mixture.covariances_)
            )
        # Codes may lie in a plane, whose covariance has no Cholesky root; this one always exists.
        variances, axes = torch.linalg.eigh(covariances)
        self.weights.copy_(weights)
        self.means.copy_(means)
        self.scales.copy_((axes * variances.clamp(min=0).sqrt()[:, None]) @ axes.mT)

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes (count, code_size) on the generator's device (the CPU without one), then moved to the mixture."""
        device = torch.device("cpu") if generator is None else generator.device
        chosen = torch.multinomial(self.weights.to(device), count, replacement=True, generator=generator)
        noise = standard_normal(count, self.means.shape[1], generator, self.means)
        chosen = chosen.to(self.means.device)
        return self.means[chosen] + (self.scales[chosen] @ noise[:, :, None])[:, :, 0]


def standard_normal(count: int, size: int, generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Draw (count, size) on the generator's device (the CPU without one), then moved to where and what `like` is."""
    device = torch.device("cpu") if generator is None else generator.device
    return torch.randn(count, size, generator=generator, device=device).to(like)
