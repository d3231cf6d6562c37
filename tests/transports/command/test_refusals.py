"""Who is refused, and what for: jobs, tokens, TLS, addresses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trustme

from tests.running import PROGRAM, TOKEN, Program, Programs
from tests.transports.command.held_up import waiting
from tests.transports.command.jobs_for_tests import SLEEPING


def end(host: Program) -> None:
    host.interrupt()
    host.ended(130)


# -- jobs ----------------------------------------------------------------------------------


def test_a_job_that_is_not_allowed_is_not_computed(run: Programs) -> None:
    host = run.host("--job", run.job(SLEEPING), "--partitions", 5)
    join = run.join(host).ended(5)
    assert f"{PROGRAM}: job 'job.py' is not allowed here, only plugins.*: " in join.stderr
    assert "--allow FOLDER/job.py" in join.stderr
    end(host)


def test_another_version_of_the_job_is_not_computed(run: Programs) -> None:
    host = run.host("--job", run.job(SLEEPING), "--partitions", 5)
    (run.folder / "other").mkdir()
    other = run.job(SLEEPING + "\n# changed\n", "other/job.py")
    join = run.join(host, "--allow", other).ended(5)
    line = f"{PROGRAM}: job 'job.py' here is not the same as the host's: install the same version"
    assert line in join.stderr.splitlines()
    end(host)


def test_who_refuses_the_job_is_not_counted(run: Programs) -> None:
    """Whether it comes before work begins or after that."""
    (go, job), allow = waiting(run), ("--allow", run.folder / "job.py")
    host = run.host(*job, "--partitions", 40, "--wait-nodes", 5)
    early = run.join(host, "--nodes", 3)
    early.says(" met ")
    good = run.join(host, "--nodes", 2, *allow)
    late = run.join(host, "--nodes", 4)
    for refusing in (early, late):
        refusing.ended(5)
    go.touch()
    found = host.report()
    good.ended()
    assert (found["processes"], found["arrived"], found["nodes"]) == (1, 2, 2)
    assert (found["left"], found["lost_processes"]) == (0, 0)
    assert host.stderr.count(" declined ") == 2


# -- addresses -----------------------------------------------------------------------------


def test_an_address_in_use_is_told(run: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = run.host(listen=f"127.0.0.1:{port}").ended(3)
    assert host.stderr == (
        f"{PROGRAM}: cannot listen on 127.0.0.1:{port} (Address already in use): "
        "give another --listen HOST:PORT\n"
    )


def test_others_may_not_connect_without_a_token(run: Programs) -> None:
    host = run.host("--advertise", "192.0.2.1:0", listen="0.0.0.0:0").ended(2)
    assert host.stderr.startswith(f"{PROGRAM}: listening on 0.0.0.0: beyond 127.0.0.1 this needs")
    assert host.stderr.count("\n") == 1


# -- tokens and TLS ------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> tuple[object, ...]:
    """Options, for all."""
    authority = trustme.CA()
    cert = authority.issue_cert("127.0.0.1")
    ca, crt, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    cert.cert_chain_pems[0].write_to_path(str(crt))
    cert.private_key_pem.write_to_path(str(key))
    return ("--tls-cert", crt, "--tls-key", key, "--tls-ca", ca)


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("", "it requires a token, this process has none: give --token-file"),
        (TOKEN[::-1], "it does not know the token of this process"),
    ],
    ids=["none", "another"],
)
def test_without_the_token_nobody_comes_in(run: Programs, theirs: str, why: str) -> None:
    host = run.host(env={"MILLION_NODES_TOKEN": TOKEN})
    join = run.join(host, env={"MILLION_NODES_TOKEN": theirs}).ended(5)
    assert f"{PROGRAM}: {host.address}: {why}" in join.stderr.splitlines()
    assert "refused" in host.stderr
    end(host)


def test_without_tls_nobody_talks_to_a_host_that_has_it(
    run: Programs, tls: tuple[object, ...]
) -> None:
    host = run.host(*tls)
    join = run.join(host).ended(5)
    assert "TLS" in join.stderr.splitlines()[-1]
    end(host)


def test_a_job_completes_with_a_token_and_tls(
    run: Programs, tls: tuple[object, ...], tmp_path: Path
) -> None:
    """Bots are given what the host has; others bring it."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    security = ("--token-file", token, *tls)
    bots = ("--bots", "plugins.bots_local", "--nodes", 4, "--processes", 2, "--wait-nodes", 7)
    host = run.host(*bots, *security, "--partitions", 200, "--fanout", 6)
    join = run.join(host, "--nodes", 3, *security)
    found = host.report()
    assert (found["result"], found["arrived"], found["lost_processes"]) == (200, 7, 0)
    join.ended()
    assert "Traceback" not in host.stderr + join.stderr
