"""What is written about the commands names those that there are, and no others."""
import pathlib
import re

import pytest

from mqgate import conf

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def commands(mqgate):
    """The commands' own words, as help lists them."""
    lines = mqgate(conf(1883)).control("help").splitlines()
    return {re.match(r"  ([a-z-]+(?: [a-z-]+)*)", line).group(1) for line in lines if line.startswith("  ")}


def test_the_manual_page_names_every_command(commands):
    page = (ROOT / "man/mqgate.8").read_text(encoding="utf-8").replace("\\-", "-")
    section = page[page.index(".SH RUNTIME COMMANDS"):page.index(".SH SIGNALS")].replace(' ", " ', "  ")
    named = set(re.findall(r'"([a-z -]+)"', section)) | set(re.findall(r"(?:^\.BR | , | )([a-z]+)(?= |$)", section, re.M))
    missing = {command for command in commands if command not in named and not any(
        name.startswith(command + " ") for name in named)}
    assert not missing
    unknown = {name for name in re.findall(r'"((?:show|set|enable|disable|shutdown|clear|get) [a-z -]+)"', section)
               if not any(name == command or name.startswith(command + " ") for command in commands)}
    assert not unknown


def test_completion_offers_every_command_and_no_other(commands):
    text = (ROOT / "etc/completion/mqgatectl.bash").read_text(encoding="utf-8")
    offered = re.search(r"_mqgatectl_commands='\n(.*?)'", text, re.S).group(1).splitlines()
    lines = []
    for line in offered:
        words = [word.split("|") for word in line.split()]
        expanded = [""]
        for choice in words:
            expanded = [f"{before} {word}".strip() for before in expanded for word in choice]
        lines += expanded
    assert {command for command in commands if not any(f"{line} ".startswith(command + " ") for line in lines)} == set()
    assert {line for line in lines if not any(f"{line} ".startswith(command + " ") for command in commands)} == set()
