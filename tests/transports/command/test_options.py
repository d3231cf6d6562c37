"""The command lines of `python -m transports.tcp`: what is read, what is refused, what is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plugins.console.exits import Exit
from plugins.console.options import BadOption
from transports.command import options
from transports.command.clients_wanted import (
    CancelOptions,
    JobsOptions,
    KeyOptions,
    MapOptions,
    ResultOptions,
    StopOptions,
    SubmitOptions,
    WeighOptions,
)
from transports.command.wanted import (
    CORES,
    GATHERING_SECONDS,
    LOCAL_BOTS,
    PROGRAM,
    STARTING_SECONDS,
    BotsOptions,
    HostOptions,
    JobOptions,
    JoinOptions,
    SecurityOptions,
    ServeOptions,
    StatusOptions,
)
from transports.net.addresses import Address
from transports.signing.keys import default_file

JOB = "job prepare compute collect input partitions fanout delay seed piece-timeout keep-going"
SECURITY = "token-file tls-cert tls-key tls-ca"
ALONE = f"{JOB} nodes processes store heartbeat values-max trace sample verbose json"
HOST = f"{ALONE} {SECURITY} listen advertise wait-nodes wait-seconds bots"
JOIN = f"{SECURITY} nodes cores listen advertise allow trust patience heartbeat values-max"
JOIN += " trace sample verbose"
STATUS = f"{SECURITY} patience json"
SUBMIT = f"{JOB} {SECURITY} priority weight sign detach patience json map over reduce"
WEIGH = f"{SECURITY} priority weight patience json"
RESULT = f"{SECURITY} wait patience json"
ASKING = f"{SECURITY} patience json"
SERVE = f"{SECURITY} listen advertise bots nodes processes allow trust at-once heartbeat"
SERVE += " preempt-after"
SERVE += " values-max verbose json store"


def host(*arguments: str) -> HostOptions:
    found = options.read(["host", *arguments])
    assert isinstance(found, HostOptions)
    return found


def alone(*arguments: str) -> HostOptions:
    found = options.read(arguments)
    assert isinstance(found, HostOptions)
    return found


def join(*arguments: str) -> JoinOptions:
    found = options.read(["join", *arguments])
    assert isinstance(found, JoinOptions)
    return found


# -- what is read --------------------------------------------------------------------------


def test_without_arguments_everything_is_on_this_machine() -> None:
    assert alone() == HostOptions(
        alone=True,
        work=JobOptions(job="plugins.demo", partitions=100),
        security=SecurityOptions(),
        bots=BotsOptions(LOCAL_BOTS, "", 100, CORES),
        wait_nodes=0,
        wait_seconds=None,
        listen=Address("127.0.0.1", 0),
    )


def test_the_job_options_are_those_of_the_simulator() -> None:
    words = "--job a.b --prepare c --compute d.py:e --collect f --input [1] --seed -3"
    words += " --partitions 7 --fanout 2000 --delay uniform:0,1"
    wanted = JobOptions("a.b", "c", "d.py:e", "f", [1], 7, 2000, "uniform:0,1", -3)
    assert alone(*words.split()).work == host(*words.split()).work == wanted
    assert alone("--input", "no JSON").work.input == "no JSON"


def test_there_are_as_many_partitions_as_nodes_where_nobody_else_may_come() -> None:
    assert alone("--nodes", "7").work.partitions == 7
    assert host("--bots", LOCAL_BOTS, "--nodes", "7").work.partitions is None


def test_there_are_never_more_processes_than_nodes() -> None:
    found = alone("--nodes", "3", "--processes", "8").bots
    assert found == BotsOptions(LOCAL_BOTS, "", 3, 3)


def test_a_host_by_itself() -> None:
    found = host()
    assert found.bots is None
    assert found.alone is False
    assert (str(found.listen), found.advertise, found.heartbeat) == ("127.0.0.1:7411", None, 15)


def test_every_option_of_a_host() -> None:
    words = "--listen 0.0.0.0:1 --advertise a.b:2 --wait-nodes 3 --wait-seconds 4 --store s"
    words += " --token-file t --tls-cert c --tls-key k --tls-ca a --heartbeat 5 --values-max 7 -vv"
    words += " --json"
    words += " --bots plugins.bots_dask:tcp://10.0.0.1:8786 --nodes 6"
    assert host(*words.split()) == HostOptions(
        alone=False,
        work=JobOptions(),
        security=SecurityOptions(Path("t"), Path("c"), Path("k"), Path("a")),
        bots=BotsOptions("plugins.bots_dask", "tcp://10.0.0.1:8786", 6, None),
        wait_nodes=3,
        wait_seconds=4,
        listen=Address("0.0.0.0", 1),
        advertise=Address("a.b", 2),
        store=Path("s"),
        heartbeat=5,
        values_max=7,
        verbose=2,
        json=True,
    )


@pytest.mark.parametrize(
    ("words", "nodes", "seconds"),
    [
        ("", None, GATHERING_SECONDS),
        ("--partitions 5", 0, None),
        ("--bots plugins.bots_local", 100, STARTING_SECONDS),
        ("--bots plugins.bots_local --nodes 9", 9, STARTING_SECONDS),
        ("--bots plugins.bots_local --partitions 9", 0, None),
        ("--wait-nodes 0", 0, None),
        ("--wait-nodes 9 --partitions 5", 9, None),
        ("--wait-seconds 2.5", None, 2.5),
        ("--wait-nodes 9 --wait-seconds 0", 9, 0),
    ],
)
def test_when_work_begins(words: str, nodes: int | None, seconds: float | None) -> None:
    found = host(*words.split())
    assert (found.wait_nodes, found.wait_seconds) == (nodes, seconds)


def test_a_process_that_joins() -> None:
    assert join("h:1") == JoinOptions(Address("h", 1), SecurityOptions())
    assert join("h:1").nodes == join("h:1").cores == CORES
    assert join("h:1").patience == 600
    words = "--nodes 50 --cores 3 --listen [::]:0 --advertise [fe80::1]:0 --allow a --allow b/c.py"
    words += (
        " --patience 0 --heartbeat 1.5 --values-max 9 --token-file t --while-stdin --any-job -v"
    )
    assert join("[::1]:7411", *words.split()) == JoinOptions(
        address=Address("::1", 7411),
        security=SecurityOptions(Path("t")),
        nodes=50,
        cores=3,
        listen=Address("::", 0),
        advertise=Address("fe80::1", 0),
        allow=("a", "b/c.py"),
        any_job=True,
        patience=0,
        heartbeat=1.5,
        values_max=9,
        while_stdin=True,
        verbose=1,
    )


def test_status() -> None:
    found = options.read(["status", "h:1", "--json", "--tls-ca", "a"])
    assert found == StatusOptions(Address("h", 1), SecurityOptions(tls_ca=Path("a")), json=True)


def test_the_root_of_a_fleet() -> None:
    found = options.read(["serve"])
    assert isinstance(found, ServeOptions)
    assert found == ServeOptions(SecurityOptions())
    assert (str(found.listen), found.bots, found.any_job) == ("127.0.0.1:7411", None, False)
    words = "--listen 0.0.0.0:1 --advertise a.b:2 --bots plugins.bots_local --nodes 6 --processes 9"
    words += " --allow a --allow b/c.py --any-job --heartbeat 5 --values-max 7 --while-stdin"
    words += " --at-once 32"
    words += " --token-file t --store s -v --json"
    assert options.read(["serve", *words.split()]) == ServeOptions(
        security=SecurityOptions(Path("t")),
        bots=BotsOptions(LOCAL_BOTS, "", 6, 6),
        listen=Address("0.0.0.0", 1),
        advertise=Address("a.b", 2),
        allow=("a", "b/c.py"),
        any_job=True,
        at_once=32,
        store=Path("s"),
        heartbeat=5,
        values_max=7,
        while_stdin=True,
        verbose=1,
        json=True,
    )


def test_a_job_for_a_fleet() -> None:
    assert options.read(["submit", "h:1"]) == SubmitOptions(
        Address("h", 1), JobOptions(), SecurityOptions()
    )  # fmt: skip
    words = "--job a/b.py --input [1] --partitions 7 --keep-going --priority -3 --weight 0.5"
    words += " --detach --json"
    assert options.read(["submit", "h:1", *words.split(), "--token-file", "t"]) == SubmitOptions(
        address=Address("h", 1),
        work=JobOptions("a/b.py", input=[1], partitions=7, keep_going=True),
        security=SecurityOptions(Path("t")),
        priority=-3,
        weight=0.5,
        detach=True,
        json=True,
    )


def test_calls_in_place_of_a_job() -> None:
    words = "submit h:1 --map a/b.py:f --over 10 --reduce sum --partitions 7"
    submitted = options.read(words.split())
    assert isinstance(submitted, SubmitOptions)
    assert submitted.calls == MapOptions("a/b.py:f", 10, "sum")
    assert submitted.work == JobOptions(partitions=7)
    other = options.read(["submit", "h:1", "--map", "math:sqrt", "--over", "items.json"])
    assert isinstance(other, SubmitOptions)
    assert other.calls == MapOptions("math:sqrt", Path("items.json"))


def test_what_is_asked_of_a_fleet() -> None:
    address, security = Address("h", 1), SecurityOptions(tls_ca=Path("a"))
    found = [
        options.read([*words.split(), "--json", "--tls-ca", "a"])
        for words in (
            *("result h:1 7 --wait 0", "weigh h:1 7 --weight 3", "cancel h:1 7 --patience 0"),
            *("jobs h:1", "stop h:1"),
        )
    ]
    assert found == [
        ResultOptions(address, 7, security, wait=0, json=True),
        WeighOptions(address, 7, security, weight=3, json=True),
        CancelOptions(address, 7, security, patience=0, json=True),
        JobsOptions(address, security, json=True),
        StopOptions(address, security, json=True),
    ]


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("hots", "'hots' is no command, give host, join, status, serve, submit, "),
        ("--nodes 0", "--nodes: '0'"),
        ("--nodes 1000001 --processes 1", "give more --processes"),
        ("--processes 0", "--processes: '0'"),
        ("--fanout 1", "from 2 to 2000"),
        ("--fanout 2001", "from 2 to 2000"),
        ("--delay soon", "'soon' is not a distribution"),
        ("--delay lognormal:1,1e6", "can exceed"),
        ("--heartbeat 0", "--heartbeat: '0'"),
        ("--values-max 0", "--values-max: '0'"),
        ("--heartbeat nan", "--heartbeat: 'nan'"),
        ("--store=", "names no file"),
        ("--listen 0.0.0.0:80", "0.0.0.0:80"),
        ("--frobnicate", "--frobnicate"),
        ("host extra", "extra"),
        ("host --nodes 3", "--nodes is about bots, give --bots too"),
        ("host --processes 3", "--processes is about bots"),
        ("host --bots .", "--bots: '.' names no module"),
        ("host --wait-nodes -1", "--wait-nodes: '-1'"),
        ("host --wait-seconds inf", "--wait-seconds: 'inf'"),
        ("host --listen 0.0.0.0:80", "--advertise HOST:80"),
        ("host --listen [::]:80", "'[::]:80' is every address of this machine"),
        ("host --listen h:80 --advertise 0.0.0.0:80", "no address that others can reach"),
        ("host --listen 127.0.0.1:0 --store f", "another port each time"),
        ("host --listen 7411", "'7411' has no port, give HOST:PORT"),
        ("host --tls-cert f", "--tls-key is missing"),
        ("host --tls-key f", "--tls-cert is missing"),
        ("join", "HOST:PORT"),
        ("join h", "'h' has no port"),
        ("join h:0", "from 1 to 65535"),
        ("join h:1 h:2", "h:2"),
        ("join h:1 --nodes 1000001", "from 1 to 1000000"),
        ("join h:1 --cores 0", "--cores: '0'"),
        ("join h:1 --patience -1", "--patience: '-1'"),
        ("join h:1 --advertise h:2", "give --listen too"),
        ("join h:1 --listen 0.0.0.0:2", "--advertise HOST:2"),
        ("join h:1 --allow=", "names no job"),
        ("join h:1 --tls-cert f", "--tls-key is missing"),
        ("join h:1 --json", "--json"),
        ("join h:1 --sample 3", "--trace"),
        ("--sample 3", "--trace"),
        ("serve extra", "extra"),
        ("serve --nodes 3", "--nodes is about bots, give --bots too"),
        ("serve --listen 0.0.0.0:80", "--advertise HOST:80"),
        ("serve --at-once 33", "from 1 to 32"),
        ("serve --store f --listen [::1]:0", "has another port each time"),
        ("submit", "HOST:PORT"),
        ("submit h:0", "from 1 to 65535"),
        ("submit h:1 --priority 1001", "from -1000 to 1000"),
        ("submit h:1 --weight 0", "--weight: '0' is wrong, give a number from 0.001 to 1000"),
        ("submit h:1 --weight nan", "--weight: 'nan'"),
        ("weigh h:1 1", "nothing is to change: give --priority, --weight, or both"),
        ("weigh h:1 --weight 2", "N"),
        ("weigh h:1 1 --weight 1001", "from 0.001 to 1000"),
        ("serve --preempt-after 0", "--preempt-after: '0'"),
        ("submit h:1 --partitions 0", "--partitions: '0'"),
        ("submit h:1 --map my.py --over 3", "'my.py' names no function"),
        ("submit h:1 --map :f --over 3", "':f' names no function"),
        ("submit h:1 --map my.py:f", "say which: --over N, or --over FILE"),
        ("submit h:1 --over 3", "--over is about a --map"),
        ("submit h:1 --reduce sum --job a", "--reduce is about a --map"),
        ("submit h:1 --map my.py:f --over 3 --job a", "--job does not go with --map"),
        ("submit h:1 --map my.py:f --over 3 --keep-going", "--keep-going does not go with --map"),
        ("submit h:1 --map my.py:f --over 0", "--over: '0' is wrong"),
        ("submit h:1 --map my.py:f --over=-1", "--over: '-1' is wrong"),
        ("submit h:1 --map my.py:f --over 10000001", "from 1 to 10000000"),
        ("submit h:1 --tls-key f", "--tls-cert is missing"),
        ("result h:1", "N"),
        ("result h:1 0", "N: '0' is wrong"),
        ("result h:1 1 --wait -1", "--wait: '-1'"),
        ("cancel h:1 x", "N: 'x' is wrong"),
        ("jobs", "HOST:PORT"),
        ("stop h:1 2", "2"),
        ("status", "HOST:PORT"),
        ("status h:1 --nodes 3", "--nodes"),
        ("jobs h:1 --patience -1", "--patience: '-1'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words: str, named: str) -> None:
    with pytest.raises(BadOption) as error:
        options.read(words.split())
    line = str(error.value)
    assert named in line
    assert "\n" not in line
    assert len(line) < 300


# -- the help ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "names", "codes"),
    [
        ("", ALONE, [0, 1, 2, 3, 6, 7, 130, 141]),
        ("host", HOST, [0, 1, 2, 3, 6, 7, 130, 141]),
        ("join", JOIN, [0, 1, 2, 3, 4, 5, 130, 141]),
        ("status", STATUS, [0, 2, 4, 5, 130, 141]),
        ("serve", SERVE, [0, 1, 2, 3, 6, 130, 141]),
        ("submit", SUBMIT, [0, 1, 2, 4, 5, 7, 130, 141]),
        ("weigh", WEIGH, [0, 1, 2, 4, 5, 130, 141]),
        ("result", RESULT, [0, 1, 2, 4, 5, 7, 8, 130, 141]),
        ("cancel", ASKING, [0, 1, 2, 4, 5, 130, 141]),
        ("jobs", ASKING, [0, 2, 4, 5, 130, 141]),
        ("stop", ASKING, [0, 2, 4, 5, 130, 141]),
    ],
)
def test_help_explains_every_option_and_exit_code(
    command: str, names: str, codes: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read([*command.split(), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in names.split():
        pattern = rf"^  (-v, )?--{name}\b.*?\(default:\s"
        assert re.search(pattern, text, re.MULTILINE | re.DOTALL), name
    assert text.count("(default:") == len(names.split())
    told = " ".join(text.partition("Exit codes:")[2].split())
    assert [int(code) for code in re.findall(r"(?:^|; )(\d+) ", told)] == codes
    assert set(codes) <= set(Exit)
    assert f"usage: {PROGRAM} {command}".strip() in text
    assert "while-stdin" not in text
    assert "any-job" not in text


def test_a_key_needs_no_file_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert options.read(["key", "new"]) == KeyOptions("new", default_file())
    assert options.read(["key", "show", "mine"]) == KeyOptions("show", Path("mine"))
    for words in (["key"], ["key", "make"], ["key", "new", ""], ["key", "new", "a", "b"]):
        with pytest.raises(BadOption):
            options.read(words)
    with pytest.raises(SystemExit):
        options.read(["key", "--help"])
    assert "join --trust" in " ".join(capsys.readouterr().out.split())


def test_help_without_a_command_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.read(["-h"])
    text = capsys.readouterr().out
    for command in options.COMMANDS:
        assert re.search(rf"^  {command}\b", text, re.MULTILINE)
