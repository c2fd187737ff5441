"""After training: the distribution of the training pictures' codes, for networks that sample from one."""

from __future__ import annotations

import torch

from hubel import runtime
from hubel.bundle import inspect_bundle, save_bundle
from hubel.errors import ConfigError
from hubel.models.evaluating import evaluating
from hubel.models.generative import AutoencodingNetwork, VariationalAutoencoder
from hubel.training.folder import RunFolder
from hubel.training.preparation import Prepared


def check_codes(prepared: Prepared) -> None:
    """Make sure that there will be codes enough for the network's mixture, before it is trained.

    Raises:
        ConfigError: There are fewer training pictures than the mixture has components.
    """
    network, pictures = prepared.network, len(prepared.stores["train"])
    mixture = network.code_distribution if isinstance(network, AutoencodingNetwork) else None
    if mixture is not None and len(mixture.means) > pictures:
        raise ConfigError(
            f"model.arguments.code_components is {len(mixture.means)}: expected at most as many as there are training "
            f"pictures, {pictures}"
        )


def fit_codes(prepared: Prepared, folder: RunFolder) -> None:
    """Fit the network's mixture, where it has one, to the codes of the training pictures, and write it into the bundle.

    The codes are those of an epoch's pictures, varied as in training; of a variational autoencoder they are drawn.

    Args:
        prepared: Its network has the weights that are kept.
        folder: Holds the bundle.
    """
    network, device = prepared.network, prepared.device
    if not isinstance(network, AutoencodingNetwork) or network.code_distribution is None:
        return
    runtime.seed(device, prepared.config.seed)
    codes = []
    with torch.no_grad(), evaluating(network):
        for batch in prepared.loader("train").epoch(0):
            images = prepared.preprocess.normalise(runtime.to_device(batch.images, device))
            if isinstance(network, VariationalAutoencoder):
                codes.append(network.posterior(images).draw())
            else:
                codes.append(network.encode(images))
    network.fit_codes(torch.cat(codes).float())
    save_bundle(folder.bundle, inspect_bundle(folder.bundle), network.state_dict())
