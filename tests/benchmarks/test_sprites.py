"""dSprites as both archives hold it, its factors, and random maps of it."""

from pathlib import Path

import numpy as np
import pytest
import sprites
import torch

from occamscope.errors import InputError


def squares(n: int = 4) -> np.ndarray:
    """Images (n, 64, 64) of a 12x12 px square, further right in each."""
    pixels = np.zeros((n, 64, 64), np.uint8)
    for k in range(n):
        pixels[k, 20:32, 10 + 8 * k : 22 + 8 * k] = 1
    return pixels


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(sprites, "IMAGES", 4)
    return squares()


@pytest.mark.parametrize("form", ["imgs", "bits"])
def test_both_archives_give_the_same_images(few: np.ndarray, form: str, tmp_path: Path) -> None:
    held = few if form == "imgs" else np.packbits(few.reshape(4, -1), axis=1)
    np.savez_compressed(tmp_path / "archive.npz", **{form: held})
    sprites.pack(tmp_path / "archive.npz", tmp_path / "bits.npy")
    x = sprites.images(np.load(tmp_path / "bits.npy", mmap_mode="r"), np.array([2, 0]))
    np.testing.assert_array_equal(x[:, 0].numpy(), few[[2, 0]])


def test_other_files_are_refused(few: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "codes.npz", codes=few)
    np.savez(tmp_path / "short.npz", imgs=few[:3])
    for name, reason in (("text", "cannot read"), ("codes", "cannot read"), ("short", "4 images")):
        with pytest.raises(InputError, match=reason):
            sprites.pack(tmp_path / f"{name}.npz", tmp_path / "bits.npy")


def test_factors_follow_the_official_order() -> None:
    rows = np.array([0, 1, 32, 32 * 32, 40 * 32 * 32, 6 * 40 * 32 * 32, sprites.IMAGES - 1])
    assert sprites.factor_table(rows).to_numpy().tolist() == [
        [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0], [2, 5, 39, 31, 31],
    ]  # fmt: skip


def test_half_size_keeps_the_light() -> None:
    x = torch.from_numpy(squares()).float()[:, None]
    small = sprites.shrunk(x, 32)
    assert small.shape == (4, 1, 32, 32)
    torch.testing.assert_close(4 * small.sum(dim=(1, 2, 3)), x.sum(dim=(1, 2, 3)))


def test_random_maps_at_half_size_are_those_at_full_size() -> None:
    x = torch.from_numpy(squares(8)[:, :, :64]).float()[:, None]
    full, half = (
        sprites.randomly_mapped(x, side, torch.Generator().manual_seed(3)) for side in (64, 32)
    )
    pooled = sprites.shrunk(full, 32)
    assert (pooled - half).abs().mean() < 0.1 * pooled.mean()
    assert not torch.allclose(full, x)
    areas = full.sum(dim=(1, 2, 3))
    assert areas.std() > 20  # scales differ, though all squares were of one size


def test_small_sprites_may_shrink_to_the_smallest_only() -> None:
    x = torch.zeros(200, 1, 64, 64)
    x[:, :, 28:36, 28:37] = 1.0  # 72 px
    areas = sprites.randomly_mapped(x, 64, torch.Generator().manual_seed(0)).sum(dim=(1, 2, 3))
    assert 50 < areas.min() < 66
