"""What docs/deployment.md shows, and the files there: each command line is one that is taken."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import TOP
from transports.command import options
from transports.command.clients_wanted import SubmitOptions
from transports.command.wanted import HostOptions, JoinOptions, ServeOptions, StatusOptions

FILES = TOP / "docs/deployment"
PAGE = (TOP / "docs/deployment.md").read_text()
BLOCKS = re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
UNITS = {"million-nodes-root.service": ServeOptions, "million-nodes-node.service": JoinOptions}

# What stands for the interpreter in a script, and writes down what it is given; `srun` and
# `hostname` are those of one machine.
STANDINS = {
    "python": f"#!{sys.executable}\nimport json, sys\n"
    "if sys.argv[1] == '-c': print('a token')\n"
    "else: print(json.dumps(sys.argv[1:]), flush=True)\n",
    "srun": '#!/bin/sh\nexec "$@"\n',
    "hostname": "#!/bin/sh\necho one\n",
}


def words_of(line: str) -> list[str]:
    """The words of a command after the name of the program or of the image; without what the
    shell does with it."""
    command = re.split(r"transports\.tcp |million-nodes +(?=serve|join)", line, maxsplit=1)[1]
    return shlex.split(re.split(r" [>&#]|'", command)[0])


def commands_of(script: str, folder: Path, *arguments: str) -> list[list[str]]:
    """The words of each command that a batch script runs."""
    for name, text in STANDINS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "HOME": str(folder), "SLURM_NTASKS": "3", "SLURM_CPUS_PER_TASK": "4"}
    run = subprocess.run(
        ["bash", str(FILES / script), *arguments],
        env=given, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    commands = [json.loads(line) for line in run.stdout.splitlines()]
    assert all(words[:2] == ["-m", "transports.tcp"] for words in commands)
    return sorted(words[2:] for words in commands)


@pytest.mark.parametrize("line", [line for line in LINES if "transports.tcp" in line])
def test_a_command_of_the_page_is_one(line: str) -> None:
    wanted = options.read(words_of(line))
    assert isinstance(wanted, ServeOptions | JoinOptions | SubmitOptions | StatusOptions)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("podman run")])
def test_what_a_container_is_told_on_the_page_is_a_command(line: str) -> None:
    assert isinstance(options.read(words_of(line)), ServeOptions | JoinOptions)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_what_it_says(name: str) -> None:
    text = (FILES / name).read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.+)$", text, re.M)
    for variable, value in {
        "%H": "one", "%S": "/var/lib", "${CREDENTIALS_DIRECTORY}": "/run/credentials",
        "$ROOT": "root.example.org:7411", "$JOBS": "--allow my_jobs.counting",
    }.items():  # fmt: skip
        command = command.replace(variable, value)
    assert not re.search(r"[%$]", command)
    wanted = options.read(words_of(command))
    assert isinstance(wanted, UNITS[name])
    assert wanted.security.token_file == Path("/run/credentials/token")


def test_the_units_are_kept_from_the_same() -> None:
    """What hardens one hardens the other."""
    kept = [
        re.findall(r"^NoNewPrivileges=.*?(?=^\[)", (FILES / name).read_text(), re.M | re.S)
        for name in UNITS
    ]
    assert kept[0] == kept[1] != []


def test_a_batch_job_has_a_root_and_nodes(tmp_path: Path) -> None:
    (line,) = (line for line in LINES if "slurm-job.sbatch" in line)
    given = shlex.split(line.partition("slurm-job.sbatch")[2])
    host, join = map(options.read, commands_of("slurm-job.sbatch", tmp_path, *given))
    assert isinstance(host, HostOptions)
    assert isinstance(join, JoinOptions)
    assert host.work.job == "plugins.primes"
    assert host.wait_nodes == 3 * join.nodes
    assert str(host.advertise) == str(join.address) == "one:7411"


def test_nodes_by_slurm_join_the_fleet_that_is_named(tmp_path: Path) -> None:
    (line,) = (line for line in LINES if "slurm-nodes.sbatch" in line)
    given = shlex.split(line.partition("slurm-nodes.sbatch")[2])
    (words,) = commands_of("slurm-nodes.sbatch", tmp_path, *given)
    join = options.read(words)
    assert isinstance(join, JoinOptions)
    assert str(join.address) == "root.example.org:7411"
    assert join.cores == 4


def test_slurm_by_dask_serves_on_its_workers() -> None:
    (line,) = (line for line in LINES if "slurm_dask.py" in line)
    _, given = line.split("slurm_dask.py 20 ")
    text = (FILES / "slurm_dask.py").read_text()
    (command,) = re.findall(r"command = \[sys.executable, (.+), \*options\]", text)
    words = re.findall(r'"(.+?)"', command)[2:]
    wanted = options.read([*words, "plugins.bots_dask:tcp://10.0.0.1:8786", *shlex.split(given)])
    assert isinstance(wanted, ServeOptions)
    assert wanted.bots is not None


def test_the_image_has_all_that_is_built_and_names_the_program() -> None:
    text = (FILES / "Containerfile").read_text().replace("\\\n", " ")
    copied = [
        word for line in re.findall(r"^COPY (?!--)(.+)$", text, re.M) for word in line.split()[:-1]
    ]
    assert all((TOP / word).exists() for word in copied)
    assert {"core", "sim", "transports", "plugins", "pyproject.toml", "setup.py"} < {*copied}
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", text, re.M)
    assert json.loads(entry) == ["python", "-m", "transports.tcp"]


def test_the_manifest_gives_the_root_options_that_exist() -> None:
    yaml = pytest.importorskip("yaml", reason="it comes with Dask")
    parts = list(yaml.safe_load_all((FILES / "dask-cluster.yaml").read_text()))
    by_kind = {part["kind"]: part for part in parts}
    assert set(by_kind) == {"DaskCluster", "Service", "Deployment"}
    (root,) = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"]
    wanted = options.read(root["args"])
    assert isinstance(wanted, ServeOptions)
    assert wanted.bots is not None
    name = by_kind["DaskCluster"]["metadata"]["name"]
    assert wanted.bots.where == f"tcp://{name}-scheduler:8786"
    assert str(wanted.advertise) == f"{by_kind['Service']['metadata']['name']}:7411"


def test_the_page_names_all_files_and_no_others() -> None:
    named = {*re.findall(r"\(deployment/([\w.-]+)\)", PAGE)}
    assert named == {path.name for path in FILES.iterdir() if path.is_file()}
    assert "](docs/deployment.md)" in (TOP / "README.md").read_text()
