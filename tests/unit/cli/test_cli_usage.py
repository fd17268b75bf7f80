"""Wrong usage is told in one sentence, in the reader's language, and ends with 2."""

import json
import subprocess
import sys

import pytest

from fabd import __version__
from fakes.shell import Fabd

WRONG = {
    ("jobb",): "There is no command jobb. Is it 'job'?",
    ("job", "lst"): "There is no command lst. Is it 'list'?",
    ("job", "show"): "The argument JOB is missing.",
    ("job", "show", "1", "2"): "There is too much: 2.",
    ("job", "list", "--foo"): "There is no option --foo.",
    ("machine", "close", "mk4"): "The option --why is missing.",
    ("machine", "close", "mk4", "--why"): "The option --why needs a value.",
    ("machine", "ready", "mk4", "--failed", "me"): (
        "--failed does not take 'me'. It takes one of: 'machine', 'operator', 'member'."
    ),
    ("submit", "x", "--copies", "two"): "--copies wants a whole number.",
    ("member", "grant", "a", "b", "c", "--until", "tomorrow"): (
        "--until does not take 'tomorrow'. It takes a date such as 2026-12-31."
    ),
}


@pytest.mark.parametrize(("arguments", "sentence"), WRONG.items(), ids=[" ".join(words) for words in WRONG])
def test_wrong_usage_is_told_in_one_line(fabd: Fabd, arguments: tuple[str, ...], sentence: str) -> None:
    told = fabd(*arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err == f"fabd: {sentence} Add --help to see how it is used.\n"


def test_wrong_usage_is_told_to_scripts_too(fabd: Fabd) -> None:
    told = fabd("job", "show", "--json")
    assert (told.code, told.out) == (2, "")
    assert json.loads(told.err)["problem"]["code"] == "client-wrong-usage"


def test_wrong_usage_is_told_in_french(fabd: Fabd) -> None:
    told = fabd("job", "show", FABD_LANG="fr")
    assert told.err == "fabd: Il manque l’argument JOB. Ajoutez --help pour voir l’usage.\n"


def test_the_version_is_told(fabd: Fabd) -> None:
    assert fabd("--version").out == f"fabd {__version__}\n"


@pytest.mark.parametrize("noun", [(), ("job",), ("machine",), ("prompt",), ("member",), ("usage",)])
def test_a_noun_alone_shows_its_verbs(fabd: Fabd, noun: tuple[str, ...]) -> None:
    told = fabd(*noun)
    assert told.code == 2
    assert "--json" in told.out + told.err
    assert "Traceback" not in told.err


def test_help_is_in_the_language_of_the_environment(fabd: Fabd) -> None:
    english, french = fabd("job", "list", "--help"), fabd("job", "list", "--help", FABD_LANG="", LANG="fr_FR.UTF-8")
    assert "Usage: fabd job list" in english.out
    assert "Show this page and stop." in english.out
    assert "Usage\u00a0: fabd job list" in french.out
    assert "Afficher cette page et s’arrêter." in french.out
    assert "Avec chaque commande" in french.out


def test_ours_wins_over_the_systems_language(fabd: Fabd) -> None:
    told = fabd("job", "show", FABD_LANG="en", LC_ALL="fr_FR.UTF-8", LANG="fr_FR.UTF-8")
    assert told.err.startswith("fabd: The argument JOB is missing.")


def test_a_small_command_stays_small() -> None:
    """No store, no MQTT and no ASGI are loaded to look at the queue."""
    look = """
import sys
from fabd.cli import run
code = run(["job", "list", "--socket", "/nonexistent/fabd.sock"])
heavy = {"sqlalchemy", "alembic", "fastapi", "starlette", "uvicorn", "paho", "aiomqtt", "amqtt", "svgelements"}
sys.exit(f"{code} {sorted(heavy & set(sys.modules))}")
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("4 []\n")
