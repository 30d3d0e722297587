"""`reactorwatch browse`: the variables of an OPC UA server as a tag list, ready for a plant file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands import whole_file
from collector.commands.opcua_target import endpoint_of
from collector.commands.terms import counted, errors, failed, output, wrong_input

if TYPE_CHECKING:
    from config.model import OpcUaEndpoint
    from drivers.opcua.browse import Found, Progress
    from drivers.opcua.browse_facts import Told

Reading = Callable[[str, int], None]
"""Takes what is being read, and of how many nodes."""
_SHOWN_FAULTS = 10
_NODES_PER_LINE = 1000


def browse(
    url: Annotated[str, typer.Argument(help="The server: opc.tcp://host:4840", metavar="URL")],
    path: Annotated[str, typer.Option(help="Begin below this path of browse names, e.g. Plant/R-201.")] = "Objects",
    output_file: Annotated[Path, typer.Option("--output", "-o", help="The CSV file to write; - is standard output.")] = Path(
        "tags.csv"
    ),
    depth: Annotated[int, typer.Option(help="The most levels below the start.", min=1, max=100)] = 20,
    most: Annotated[int, typer.Option(help="The most nodes to visit.", min=1)] = 100_000,
    policy: Annotated[str, typer.Option(help="Security policy, e.g. Basic256Sha256.")] = "none",
    mode: Annotated[str, typer.Option(help="With a policy: sign, or sign_and_encrypt.")] = "sign_and_encrypt",
    pki: Annotated[Path, typer.Option(help="With a policy: the folder of keys and certificates.")] = Path("pki"),
    user_name: Annotated[str | None, typer.Option(help="Account to log in with; else anonymous.")] = None,
    password_env: Annotated[str | None, typer.Option(help="The environment variable that holds its password.")] = None,
    user_certificate: Annotated[Path | None, typer.Option(help="Log in with this certificate.")] = None,
    user_key: Annotated[Path | None, typer.Option(help="The private key of that certificate.")] = None,
    timeout: Annotated[float, typer.Option(help="Deadline of connecting and of each request, in seconds.", min=0.1)] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Walk a server's address space and write its variables as a tag list, with kinds, units, ranges and states."""
    to_file = str(output_file) != "-"
    if to_file and output_file.exists() and not force:
        wrong_input(f"{output_file} is there already: give another --output, or --force to overwrite it")
    security = None
    if policy != "none":
        own = pki / "own"
        files = {"certificate": str(own / "certificate.der"), "key": str(own / "key.pem"), "trust": str(pki / "trusted")}
        security = {"policy": policy, "mode": mode, **files}
    if (user_name is None) != (password_env is None):
        wrong_input("--user-name and --password-env come together")
    login = {"user_name": user_name, "password": {"env": password_env} if password_env else None}
    login |= {"user_certificate": _text(user_certificate), "user_key": _text(user_key)}
    endpoint = endpoint_of(url, timeout_s=timeout, security=security, **login)
    _run(endpoint, path, depth, most, output_file if to_file else None)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _run(endpoint: OpcUaEndpoint, path: str, depth: int, most: int, file: Path | None) -> None:
    from collector.survey.tag_list import rows, written
    from drivers.base import DeviceError
    from drivers.opcua.browse import NoSuchPath

    try:
        with _progress() as (progress, reading):
            found, told, namespaces = asyncio.run(_walked(endpoint, path, depth, most, progress, reading))
    except (DeviceError, OSError) as exc:
        failed(str(exc))
    except NoSuchPath as exc:
        wrong_input(str(exc))
    tags, left_out = rows(told, namespaces)
    if found.methods:
        left_out["a method"] += found.methods
    _tell(found, len(tags), dict(left_out))
    if not tags:
        failed("no variable that could be a tag was found, so nothing is written")
    if file is None:
        typer.echo(written(tags), nl=False)
        return
    _write(file, written(tags))
    output.print(f"written: {file}, {counted(len(tags), 'tag')}", markup=False)
    output.print(
        f"next: look through it, name it in a device (`tags: {file.name}`), then `reactorwatch check PLANT.yaml --live`",
        markup=False,
    )


async def _walked(
    endpoint: OpcUaEndpoint, path: str, depth: int, most: int, progress: Progress, reading: Reading
) -> tuple[Found, list[Told], list[str]]:
    from collector.acquire.clock import PlantClock
    from drivers.opcua.browse import Browser, start_of, walk
    from drivers.opcua.browse_facts import facts
    from drivers.opcua.session import connect

    async with connect(endpoint, [], PlantClock()) as session:
        browser = Browser(session.connection)
        await browser.learn_limits()
        found = await walk(browser, await start_of(browser, path), depth, most, progress)
        told = await facts(session.connection, browser, found.variables, session.nodes_per_read, reading)
        return found, told, list(session.namespaces)


@contextmanager
def _progress() -> Iterator[tuple[Progress, Reading]]:
    """A bar on a terminal, a line now and then elsewhere; on standard error. Of the walk, and of what is read then."""
    if not errors.is_terminal:
        told = 0

        def line(browsed: int, waiting: int, variables: int) -> None:
            nonlocal told
            if browsed - told >= _NODES_PER_LINE:
                told = browsed
                errors.print(f"{browsed} nodes browsed, {waiting} to go, {variables} variables", markup=False)

        yield line, lambda what, nodes: errors.print(f"reading {what} of {nodes}", markup=False) if told else None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("browsing"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), console=errors
    ) as bar:
        task = bar.add_task("", total=None)

        def walked(browsed: int, waiting: int, variables: int) -> None:
            bar.update(task, completed=browsed, total=browsed + waiting, description=counted(variables, "variable"))

        yield walked, lambda what, nodes: bar.update(task, description=f"reading {what} of {nodes}")


def _tell(found: Found, tags: int, left_out: dict[str, int]) -> None:
    errors.print(
        f"{counted(found.browsed, 'node')} browsed: {counted(len(found.variables), 'variable')}, {tags} as tags", markup=False
    )
    for why, number in sorted(left_out.items()):
        errors.print(f"  left out: {number} × {why}", markup=False)
    for fault in found.faults[:_SHOWN_FAULTS]:
        errors.print(f"  not browsed: {fault}", markup=False, style="yellow")
    if len(found.faults) > _SHOWN_FAULTS:
        errors.print(f"  and {len(found.faults) - _SHOWN_FAULTS} more that could not be browsed", style="yellow")
    if found.cut_short:
        errors.print(f"  not all of it: {found.cut_short}", markup=False, style="yellow")


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        with whole_file.written(file) as out:
            out.write(text.encode())
    except OSError as exc:
        failed(f"{file}: can't be written: {exc.strerror}")
