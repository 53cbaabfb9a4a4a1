"""Real images for tests that read them; such tests skip where the images are not there."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real images: OCCAMSCOPE_TEST_DATA, or shared/data beside the project."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("OCCAMSCOPE_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no folder of real images")
    return folder
