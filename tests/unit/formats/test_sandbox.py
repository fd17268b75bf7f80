"""The real jail around parsers that misbehave: all that ever comes out is an analysis or a refusal."""

import asyncio
import os
import sys
import textwrap
from pathlib import Path

import pytest

from fabd.errors import JobRejected
from fabd.formats import sandbox
from fabd.formats.contract import Analysis
from fabd.formats.gcode import Gcode
from fabd.formats.sandbox import Limits, analyse

SAMPLES = Path(__file__).parents[2] / "samples"
QUICK = Limits(file_bytes=1_000_000, memory_bytes=512 * 1024 * 1024, cpu_s=20, wall_s=60, answer_bytes=1_000_000)

_PROGRAM = """
import sys
{imports}
from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.formats.gcode import Gcode
from fabd.formats.jail import main
class Rogue:
    names = frozenset({{"rogue"}})
    suffixes = frozenset({{".rogue"}})
    def recognises(self, head, name):
        return True
    def analyse(self, data, name):
{body}
main([Rogue()])
"""


def rogue(body: str, imports: str = "") -> tuple[str, ...]:
    """A jail whose only format does what `body` says with `data` and `name`."""
    program = _PROGRAM.format(imports=imports, body=textwrap.indent(textwrap.dedent(body), " " * 8))
    return (sys.executable, "-I", "-B", "-c", program)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "brought"
    path.write_bytes(b"G28\nG1 X10 Y10 E1\n")
    return path


def damage(file: Path) -> None:
    file.write_bytes(b"G28\nG1 X1.2.3\n")


def parsed_here(file: Path) -> Analysis:
    return Gcode().analyse(file.read_bytes(), file.name)


async def refusal_of(file: Path, jail: tuple[str, ...] = sandbox.JAIL, limits: Limits = QUICK) -> JobRejected:
    with pytest.raises(JobRejected) as caught:
        await analyse(file, "piece.gcode", limits, jail)
    assert str(caught.value) != caught.value.message.code
    return caught.value


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.gcode")), ids=lambda sample: sample.stem)
async def test_the_jail_gives_what_the_parser_gives(sample: Path) -> None:
    analysis = await analyse(sample, sample.name)
    assert analysis == parsed_here(sample)


async def test_rewritten_bytes_come_through_whole(file: Path) -> None:
    body = """
        from dataclasses import replace
        rewritten = bytes(range(256))
        program = Gcode().analyse(data, name).program
        return Analysis(program=replace(program, runs_sha256=sha256(rewritten).hexdigest()), rewritten=rewritten)
    """
    analysis = await analyse(file, "piece", QUICK, rogue(body, "from hashlib import sha256"))
    assert analysis.rewritten == bytes(range(256))


async def test_a_refusal_comes_through_with_its_parameters(file: Path) -> None:
    damage(file)
    message = (await refusal_of(file)).message
    assert message.code == "gcode-unreadable"
    assert message.params == {"line": 2, "command": "G1 X1.2.3"}


@pytest.mark.parametrize(
    ("body", "imports", "code", "detail"),
    [
        pytest.param("raise KeyError(1)", "", "format-parser-crashed", "KeyError", id="raises"),
        pytest.param("return self.analyse(data, name)", "", "format-parser-crashed", "RecursionError", id="recurses"),
        pytest.param("return None", "", "format-parser-crashed", "AttributeError", id="gives nothing"),
        pytest.param("sys.exit(0)", "", "format-parser-crashed", "unreadable answer", id="leaves"),
        pytest.param("sys.exit(3)", "", "format-parser-crashed", "status 3", id="leaves with a status"),
        pytest.param("os.kill(os.getpid(), 11)", "import os", "format-parser-crashed", "status -11", id="crashes"),
        pytest.param("os.kill(os.getpid(), 9)", "import os", "format-parser-crashed", "status -9", id="is killed"),
        pytest.param(
            "os.write(1, b'{}'); os._exit(0)", "import os", "format-parser-crashed", "empty answer", id="says nothing"
        ),
        pytest.param(
            "os.write(1, b'nonsense'); os._exit(0)", "import os", "format-parser-crashed", "unreadable answer",
            id="talks nonsense",
        ),
        pytest.param(
            "os.write(1, b'[' * 500000); os._exit(0)", "import os", "format-parser-crashed", "unreadable answer",
            id="nests deeply",
        ),
        pytest.param("x = b'1' * 2**31", "", "format-needs-memory", None, id="takes memory"),
        pytest.param("x = [data]\nwhile True: x = x + x", "", "format-needs-memory", None, id="takes more and more"),
        pytest.param("while True: os.write(1, b'1' * 9999)", "import os", "format-answer-too-big", None, id="prints"),
    ],
)  # fmt: skip
async def test_a_parser_that_fails(file: Path, body: str, imports: str, code: str, detail: str | None) -> None:
    message = (await refusal_of(file, rogue(body, imports))).message
    assert message.code == code
    assert message.params.get("detail") == detail


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("sha256='0' * 64, runs_sha256='0' * 64", "impossible answer"),
        ("runs_sha256='0' * 64", "impossible answer"),
        ("size_bytes=1", "impossible answer"),
        ("length=3", "impossible answer"),
        ("length='long'", "unreadable answer"),
        ("curve=UsageCurve(positions=(), used={})", "impossible answer"),
        ("curve=UsageCurve(positions=(1, 2), used={})", "impossible answer"),
        ("curve=UsageCurve(positions=(0, 2, 2), used={})", "impossible answer"),
        ("curve=UsageCurve(positions=(0, 2), used={'filament_mm': (0.0,)})", "impossible answer"),
        ("curve=UsageCurve(positions=(0, 2), used={'filament_mm': (1.0, 0.5)})", "impossible answer"),
        ("curve=UsageCurve(positions=(0, 2), used={'filament_mm': (-1.0, 0.5)})", "impossible answer"),
        ("curve=UsageCurve(positions=(0, 2), used={'euros': (0.0, 1.0)})", "unreadable answer"),
        ("needs=Needs(nozzle_c=float('nan'))", "ValueError"),
    ],
)
async def test_an_answer_that_cannot_be(file: Path, change: str, detail: str) -> None:
    body = f"return Analysis(program=replace(Gcode().analyse(data, name).program, {change}))"
    imports = "from dataclasses import replace\nfrom fabd.model import Needs, UsageCurve"
    message = (await refusal_of(file, rogue(body, imports))).message
    assert (message.code, message.params["detail"]) == ("format-parser-crashed", detail)


async def test_an_answer_of_infinities(file: Path) -> None:
    """The child's own encoder refuses them; a child that writes its answer by hand is refused by the parent."""
    body = """
        from json import dumps
        program = asdict(Gcode().analyse(data, name).program)
        program["needs"]["bed_c"] = float("inf")
        os.write(1, dumps({"program": program}).encode())
        os._exit(0)
    """
    message = (await refusal_of(file, rogue(body, "import os, json\nfrom dataclasses import asdict"))).message
    assert message.params["detail"] == "impossible answer"


async def test_processor_time_is_limited(file: Path) -> None:
    limits = Limits(cpu_s=1, wall_s=60)
    assert (await refusal_of(file, rogue("while True: pass"), limits)).message.code == "format-too-slow"


async def test_waiting_is_limited(file: Path) -> None:
    limits = Limits(cpu_s=60, wall_s=0.5)
    jail = rogue("time.sleep(1000)", "import time")
    assert (await refusal_of(file, jail, limits)).message.code == "format-too-slow"


async def test_files_are_limited(tmp_path: Path) -> None:
    big = tmp_path / "big.gcode"
    with big.open("wb") as sparse:
        sparse.truncate(1_000_000_000)
    assert (await refusal_of(big)).message.code == "format-too-big"
    empty = tmp_path / "empty.gcode"
    empty.touch()
    assert (await refusal_of(empty)).message.code == "format-empty"


async def test_one_endless_line(tmp_path: Path) -> None:
    file = tmp_path / "line.gcode"
    file.write_bytes(b"G28\nG1 X1" + b"0" * 50_000_000)
    message = (await refusal_of(file, limits=Limits())).message
    assert (message.code, message.params["line"]) == ("gcode-line-too-long", 2)


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "open('/tmp/fabd-was-here', 'w')",
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.pipe()",
        "os.dup(0)",
        "os.memfd_create('x')",
        "os.listdir('/')",
        "os.mkdir('/tmp/fabd-was-here')",
        "os.rename('/etc/hostname', '/etc/fabd-was-here')",
        "os.symlink('/', '/tmp/fabd-was-here')",
        "os.execv('/bin/true', ['true'])",
        "subprocess.run(['/bin/true'])",
    ],
)
async def test_the_parser_is_locked_in(file: Path, attempt: str) -> None:
    body = f"""
        try:
            {attempt}
        except OSError:
            raise JobRejected("stopped") from None
        raise JobRejected("got-out")
    """
    with pytest.raises(JobRejected) as caught:
        await analyse(file, "piece.rogue", QUICK, rogue(body, "import os, socket, subprocess"))
    assert caught.value.message.code == "stopped"


async def test_the_kernel_holds_where_descriptors_would_not(file: Path) -> None:
    """Root may raise its limits again; Landlock still holds."""
    body = """
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        except ValueError:
            raise JobRejected("stopped") from None
        try:
            open("/etc/passwd")
        except PermissionError:
            raise JobRejected("stopped") from None
        raise JobRejected("got-out")
    """
    with pytest.raises(JobRejected) as caught:
        await analyse(file, "piece.rogue", QUICK, rogue(body, "import os, resource"))
    assert caught.value.message.code == "stopped"


async def test_the_parser_learns_nothing_of_the_daemon(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FABD_SECRET", "hush")
    body = "raise JobRejected('seen', names=' '.join(sorted(os.environ)), where=os.getcwd())"
    with pytest.raises(JobRejected) as caught:
        await analyse(file, "piece", QUICK, rogue(body, "import os"))
    assert caught.value.message.params["where"] == "/"
    assert caught.value.message.params["names"] in ("", "LC_CTYPE")  # Python sets the latter for itself


@pytest.mark.parametrize("name", ["", "-", "../../etc/passwd", "piece\x00.gcode", "\udcff.gcode", "é" * 5000, "a\nb"])
async def test_any_name_will_do(file: Path, name: str) -> None:
    assert (await analyse(file, name, QUICK)).program.format == "gcode"


@pytest.mark.parametrize("after_s", [0, 0.001, 0.02, 0.1, 0.3])
async def test_cancelled_it_leaves_nothing_behind(file: Path, after_s: float) -> None:
    jail = rogue("while True: pass")
    task = asyncio.create_task(analyse(file, "piece", Limits(), jail))
    await asyncio.sleep(after_s)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def test_many_at_once(file: Path) -> None:
    jails = [rogue("raise KeyError"), rogue("while True: pass"), sandbox.JAIL] * 2
    limits = Limits(cpu_s=1, wall_s=60)
    ends = await asyncio.gather(*(analyse(file, "piece", limits, jail) for jail in jails), return_exceptions=True)
    said = [end.message.code if isinstance(end, JobRejected) else type(end).__name__ for end in ends]
    assert said == ["format-parser-crashed", "format-too-slow", "Analysis"] * 2


async def test_a_jail_that_cannot_be_started(file: Path) -> None:
    assert (await refusal_of(file, ("/nowhere/python",))).message.code == "format-parser-not-started"
