"""What the probe asks of juliapkg: everything is installed, unless the environment says no."""

import os


def resolve(dry_run):
    if os.environ.get("STAND_IN") == "no julia":
        raise Exception("no network")
    return dry_run
