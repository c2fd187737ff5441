"""Networks that learn without labels: autoencoders, variational autoencoders, generative adversarial networks."""

from hubel.models.generative import autoencoder, dcgan, encoders, vae
from hubel.models.generative.autoencoder import Autoencoder
from hubel.models.generative.dcgan import DCGAN
from hubel.models.generative.encoders import start_from_encoder
from hubel.models.generative.network import AutoencodingNetwork
from hubel.models.generative.vae import GaussianCode, VariationalAutoencoder, VariationalOutput

__all__ = [
    "DCGAN",
    "Autoencoder",
    "AutoencodingNetwork",
    "GaussianCode",
    "VariationalAutoencoder",
    "VariationalOutput",
    "autoencoder",
    "dcgan",
    "encoders",
    "start_from_encoder",
    "vae",
]
