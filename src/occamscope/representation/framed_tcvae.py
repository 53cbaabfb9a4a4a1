"""A beta-TCVAE that paints in the nucleus' own frame.

Three latents place the nucleus: size, and the two components of ellipticity. The decoder paints a
nucleus of unit size, round, its long axis along x, and an affine map that these three latents ALONE
decide puts it into the crop: whatever else is painted, size is size and shape is shape. What is
painted is

* the typical nucleus of that size and axis ratio (radially symmetric where the nucleus is round),
* plus patterns, one a further latent, in proportion to the latent: a linear painter.

The encoder of the further latents is linear too. It sees, in the same frame, what the typical nucleus
leaves over: a latent says how a nucleus differs from what its size and shape let one expect, and its
filter and pattern are pictures that can be looked at. The mathematics of the painter is that of
probabilistic PCA, where it starts.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from occamscope.representation.augment import warp
from occamscope.representation.nucleus_frame import (
    blur,
    frame_to_image,
    image_to_frame,
    long_axis,
    radial_basis,
)
from occamscope.representation.principal_patterns import PrincipalPatterns, principal_patterns
from occamscope.representation.tcvae import (
    LOG_VARIANCE_RANGE,
    NetworkSettings,
    convolutions,
    initialise,
)
from occamscope.scale import CROP_SIZE

SHAPE_LATENTS = 3
TYPICAL_AREA_PX = 500.0  # of a nucleus at size 0, before training
# Summed over the crop, 1.0 = a nucleus' robust maximum: under half of what the smallest nuclei of
# the augmentation send.
LEAST_LIGHT = 40.0
# Beyond this the typical look is not extrapolated.
LARGEST_CODE = 3.0


@dataclass(frozen=True)
class FrameSettings:
    """The frame and its painter.

    Attributes
    ----------
    frame_px : side of the painted picture, which covers the canvas of a crop.
    reference_area_px : area in px of the crop of a nucleus that fills the frame as it is painted.
    knots : rings of the radial profile.
    area_range : how many times larger a nucleus at size +3 is than one at -3, if that is to be
        fixed (the paper: 6); 0 learns it, and the codes' spread is then near 1.
    axis_ratio : of a nucleus at an ellipticity of 3, if that is to be fixed (the paper: 2.3); 0
        learns it.
    """

    frame_px: int = 32
    reference_area_px: float = 1250.0
    knots: int = 24
    area_range: float = 0.0
    axis_ratio: float = 0.0


class FramedTCVAE(nn.Module):
    """Encoder and decoder at the crops' full resolution.

    Parameters
    ----------
    settings : layers of the shape encoder; `latents` counts all, the three of shape included.
    generator : CPU generator of the initial weights.
    frame : see there.
    """

    # The plain network works at half the resolution, this one at the full one.
    training_px = CROP_SIZE
    # Total correlation is estimated among the patterns: the posteriors of size and ellipticity are
    # so sharp that a batch never holds two nuclei that could be taken for each other.
    tc_group = slice(SHAPE_LATENTS, None)
    rings: Tensor
    gain_is_free: Tensor

    def __init__(
        self,
        settings: NetworkSettings,
        generator: torch.Generator,
        frame: FrameSettings = FrameSettings(),
    ) -> None:
        super().__init__()
        self.settings, self.frame = settings, frame
        with torch.device("meta"):  # no weights yet: they come from the generator
            layers, features = convolutions(settings)
            self.encoder = nn.Sequential(
                *layers,
                nn.Linear(features, settings.hidden),
                nn.ReLU(),
                nn.Linear(settings.hidden, 2 * SHAPE_LATENTS),
            )
        self.encoder.to_empty(device="cpu")
        initialise(self.encoder, generator)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._add_geometry()
        self._add_painter()

    def _add_geometry(self) -> None:
        frame = self.frame
        gains = [0.35, 0.35]
        if frame.area_range:
            gains[0] = math.log(frame.area_range) / (4 * LARGEST_CODE)
        if frame.axis_ratio:
            gains[1] = math.log(frame.axis_ratio) / LARGEST_CODE
        fixed = [bool(frame.area_range), bool(frame.axis_ratio)]
        self.log_gain = nn.Parameter(torch.tensor(gains).log())
        self.register_buffer("gain_is_free", torch.tensor(fixed).logical_not(), persistent=False)
        scale = 0.5 * math.log(TYPICAL_AREA_PX / frame.reference_area_px)
        self.log_scale_offset = nn.Parameter(torch.tensor(scale))
        self.log_blur_px = nn.Parameter(torch.tensor(math.log(1.2)))

    def _add_painter(self) -> None:
        n, frame = self.frame.frame_px, self.frame
        basis, radii = radial_basis(n, frame.knots)
        self.register_buffer("rings", basis, persistent=False)
        edge = math.sqrt(frame.reference_area_px / math.pi) * n / CROP_SIZE
        profile = torch.zeros(3, frame.knots)
        profile[0] = torch.sigmoid(edge - radii)
        self.profile = nn.Parameter(profile)  # of 1, size, size^2
        self.elongated = nn.Parameter(torch.zeros(2, n, n))  # of |e|^2, size |e|^2
        count = self.settings.latents - SHAPE_LATENTS
        self.patterns = nn.Parameter(torch.zeros(count, n * n), requires_grad=False)
        self.filters = nn.Parameter(torch.zeros(count, n * n), requires_grad=False)
        self.log_variance = nn.Parameter(torch.zeros(count), requires_grad=False)
        self.log_variance_of_size = nn.Parameter(torch.zeros(count), requires_grad=False)

    @property
    def details(self) -> list[nn.Parameter]:
        """What waits for `open_details` before it is trained."""
        return [self.patterns, self.filters, self.log_variance, self.log_variance_of_size]

    @property
    def painted(self) -> list[nn.Parameter]:
        """Pictures that the painter starts from."""
        return [self.patterns, self.profile, self.elongated]

    def place(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        """Log scale (B,) and stretch (B, 2) of shape codes (B, 3)."""
        gain = torch.where(self.gain_is_free, self.log_gain, self.log_gain.detach()).exp()
        return gain[0] * shape[:, 0] + self.log_scale_offset, gain[1] * shape[:, 1:]

    def typical(self, shape: Tensor) -> Tensor:
        """Painted pictures (B, frame_px^2) of the typical nucleus with these shape codes (B, 3)."""
        size = shape[:, :1].clamp(-LARGEST_CODE, LARGEST_CODE)
        length = shape[:, 1:].square().sum(dim=1, keepdim=True)
        length = length / (1.0 + length / LARGEST_CODE**2)
        free = self.elongated  # symmetric about both axes, as its cause is
        image = (free + free.flip(1) + free.flip(2) + free.flip(1, 2)) / 4
        powers = torch.cat([torch.ones_like(size), size, size.square()], dim=1)
        lengths = torch.cat([length, size * length], dim=1)
        return powers @ (self.profile @ self.rings.T) + lengths @ image.flatten(1)

    def encode_shape(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance (B, 3) of size and ellipticity."""
        mean, log_variance = self.encoder(functional.avg_pool2d(x, 2)).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    @torch.no_grad()
    def left_over(self, x: Tensor, shape: Tensor) -> Tensor:
        """What the typical nucleus leaves of images (B, 1, 64, 64), in the frame: (B, pixels)."""
        log_scale, stretch = self.place(shape)
        maps = frame_to_image(log_scale, stretch, long_axis(stretch))
        rest = x - self._paint(self.typical(shape), shape, long_axis(stretch))
        return warp(rest, maps, self.frame.frame_px).flatten(1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance (B, latents) of images (B, 1, 64, 64) in [0, 1.3].

        Without light there is no information: towards a blank crop the posterior becomes the prior.
        """
        presence = (x.sum(dim=(1, 2, 3)) / LEAST_LIGHT).clamp(0.0, 1.0)[:, None]
        mean, log_variance = (presence * part for part in self._encode_light(x))
        return mean, log_variance

    def _encode_light(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encode_shape(x)
        shape = mean.detach()
        details = self.left_over(x, shape) @ self.filters.T
        spread = self.log_variance + self.log_variance_of_size * shape[:, :1]
        return (
            torch.cat([mean, details], dim=1),
            torch.cat([log_variance, spread.clamp(*LOG_VARIANCE_RANGE)], dim=1),
        )

    def _paint(self, picture: Tensor, shape: Tensor, angle: Tensor) -> Tensor:
        n = self.frame.frame_px
        log_scale, stretch = self.place(shape)
        maps = image_to_frame(log_scale, stretch, angle) * (n / CROP_SIZE)
        image = warp(picture.view(-1, 1, n, n), maps, CROP_SIZE)
        return blur(image, self.log_blur_px.exp())

    def decode(self, z: Tensor, angle: Tensor | None = None) -> Tensor:
        """Images (B, 1, 64, 64) of codes (B, latents); 1.0 is the nucleus' robust maximum.

        Parameters
        ----------
        angle : (B,) of the long axis, if it is not to follow the codes.
        """
        shape = z[:, :SHAPE_LATENTS]
        if angle is None:
            angle = long_axis(self.place(shape)[1])
        picture = self.typical(shape) + z[:, SHAPE_LATENTS:] @ self.patterns
        return self._paint(picture, shape, angle)

    def encode_training(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x)

    def decode_training(self, z: Tensor, mean: Tensor) -> Tensor:
        """Decode samples along the axis of their posterior means.

        The angle of a nearly round sample is chance; the picture was encoded along the mean's.
        """
        return self.decode(z, long_axis(self.place(mean[:, :SHAPE_LATENTS])[1]))

    @torch.no_grad()
    def open_details(self, x: Tensor, sigma: float) -> PrincipalPatterns:
        """Set patterns and filters by the principal patterns of what is left of images (B, 1, 64, 64).

        Images weigh as their nuclei's areas: so many pixels a pattern explains.
        """
        shape, _ = self.encode_shape(x)
        area = torch.exp(2 * self.place(shape)[0]) * (CROP_SIZE / self.frame.frame_px) ** 2
        noise = float(sigma**2 / area.mean())
        found = principal_patterns(self.left_over(x, shape), area, noise, len(self.patterns))
        self.patterns.copy_(found.patterns)
        self.filters.copy_(found.filters)
        self.log_variance.copy_(found.log_variance)
        self.train_details()
        return found

    def train_details(self) -> None:
        """Let the details be trained from now on."""
        for parameter in self.details:
            parameter.requires_grad_(True)
