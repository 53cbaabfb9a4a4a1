"""The frame around a script: digest check, one line for bad input, log, resume folder."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from occamscope.digest import code_digest
from occamscope.store.provenance import read_meta

ROOT = Path(__file__).parents[2]

# A stand-in for what Snakemake puts before a script.
PREAMBLE = """
import json, sys
from pathlib import Path
from types import SimpleNamespace


class Named(SimpleNamespace):
    def items(self):
        return vars(self).items()


class Files(list):
    def __init__(self, **named):
        super().__init__(named.values())
        self.__dict__ |= named


snakemake = SimpleNamespace(
    rule="train_thing",
    input=Files(crops="results/tiny/crops.csv"),
    output=Files(table="results/tiny/thing.csv"),
    params=Named(**json.loads(sys.argv[1])),
    wildcards=Named(fold="0"),
    log=["results/tiny/logs/thing.log"],
)
"""


@dataclass(frozen=True)
class Rule:
    """A script in a folder of its own, run as Snakemake would."""

    folder: Path

    def run(self, body: str, params: str = "") -> subprocess.CompletedProcess:
        script = self.folder / "script.py"
        body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        lines = "from occamscope.job import open_job\n\nwith open_job(snakemake) as job:\n"
        script.write_text(PREAMBLE + lines + body + "\n")
        params = params or f'{{"code": "{code_digest(script)}", "seed": 3}}'
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        return subprocess.run(
            [sys.executable, str(script), params],
            cwd=self.folder,
            env=environment,
            text=True,
            capture_output=True,
        )

    @property
    def log(self) -> str:
        return (self.folder / "results/tiny/logs/thing.log").read_text()

    @property
    def checkpoints(self) -> list[Path]:
        return list((self.folder / "results/tiny/.resume").glob("*/*"))


@pytest.fixture
def rule(tmp_path) -> Rule:
    (tmp_path / "results/tiny").mkdir(parents=True)
    (tmp_path / "results/tiny/crops.csv").write_text("crop_id\n1\n")
    return Rule(tmp_path)


CHECKPOINT = """
job.resume_folder.mkdir(parents=True)
(job.resume_folder / "state").write_text("half")
"""


def test_a_job_writes_its_log_and_carries_its_provenance(rule):
    done = rule.run("""
        from occamscope.store.atomic import write_text
        job.say("three nuclei")
        write_text(job.output.table, "x")
    """)
    assert done.returncode == 0, done.stderr
    assert "train_thing 0: three nuclei" in rule.log and "done in" in rule.log
    assert "three nuclei" in done.stderr
    meta = read_meta(rule.folder / "results/tiny/thing.csv")
    assert meta["rule"] == "train_thing" and meta["seed"] == 3 and "numpy" in meta["versions"]


def test_bad_input_ends_with_one_line_and_status_one(rule):
    done = rule.run("""
        from occamscope.errors import InputError
        raise InputError("a.tif: is torn. Copy it again.")
    """)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith("train_thing 0: ERROR: a.tif: is torn. Copy it again.")
    assert rule.log.strip() == line


def test_a_damaged_file_ends_with_one_line(rule):
    (rule.folder / "results/tiny/crops.csv.meta.json").write_text('{"sha256": "0", "rule": "cut"}')
    done = rule.run("""
        from occamscope.store.tables import read_table
        read_table(job.input.crops)
    """)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "crops.csv differs from its checksum" in done.stderr
    assert "--forcerun cut" in done.stderr


def test_changed_code_is_refused_before_the_body_runs(rule):
    done = rule.run("print('ran')", params='{"code": "0123456789abcdef"}')
    assert done.returncode == 1 and "ran" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "script.py" in done.stderr and "run snakemake again" in done.stderr
    assert "pip install -e ." in done.stderr and str(ROOT / "src/occamscope") in done.stderr


def test_an_error_of_ours_keeps_its_traceback_in_the_log(rule):
    done = rule.run("1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in rule.log and "ZeroDivisionError" in done.stderr


def test_names_are_put_before_what_a_column_says(rule):
    done = rule.run("""
        from occamscope.errors import InputError
        from occamscope.job import naming
        with naming("a.tif"):
            raise InputError("the zoom makes no sense")
    """)
    assert "ERROR: a.tif: the zoom makes no sense" in done.stderr


def test_checkpoints_go_on_success(rule):
    assert rule.run(CHECKPOINT).returncode == 0
    assert rule.checkpoints == [] and not list((rule.folder / "results/tiny/.resume").iterdir())


FIRST_TIME = """
import os
from occamscope.errors import InputError
if not (job.resume_folder / "state").exists():
    job.resume_folder.mkdir(parents=True)
    (job.resume_folder / "state").write_text("half")
    {end}
"""


@pytest.mark.parametrize(
    "end", ["raise ValueError", "raise InputError('a.tif')", "os.kill(os.getpid(), 9)"]
)
def test_checkpoints_stay_after_a_failure_and_serve_the_same_work(rule, end):
    body = FIRST_TIME.format(end=end)
    assert rule.run(body).returncode != 0
    assert [path.read_text() for path in rule.checkpoints] == ["half"]
    assert rule.run(body).returncode == 0
    assert rule.checkpoints == []


@pytest.mark.parametrize("change", ["params", "code", "input"])
def test_other_work_never_takes_a_checkpoint_up(rule, change):
    body = f"{CHECKPOINT}\nraise ValueError"
    rule.run(body)
    (old,) = rule.checkpoints
    if change == "input":
        (rule.folder / "results/tiny/crops.csv.meta.json").write_text('{"sha256": "1"}')
    if change == "code":
        body = body.replace("ValueError", "KeyError")
    code = code_digest_of(rule, body)
    seed = 4 if change == "params" else 3
    done = rule.run(body, params=f'{{"code": "{code}", "seed": {seed}}}')
    assert "FileExistsError" not in done.stderr
    assert len(rule.checkpoints) == 2 and old in rule.checkpoints


def code_digest_of(rule: Rule, body: str) -> str:
    """Digest of the script that runs `body`, found by writing it with a wrong one."""
    rule.run(body, params='{"code": "wrong"}')
    return code_digest(rule.folder / "script.py")


def test_progress_is_said_seldom(rule):
    rule.run("for step in range(50): job.progress(f'step {step}')")
    assert rule.log.count("step ") == 1
