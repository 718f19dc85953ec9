"""What PyYAML and ruamel.yaml write: python emit.py FOLDER (the folder of the corpus)."""

# ruff: noqa: DTZ001 - a program of somebody else's, which does what they do

import datetime
import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import ruamel.yaml
import yaml

top = Path(sys.argv[1])


def data(name):
    return json.loads((top / f"{name}.json").read_text())


def shared():
    wave = data("wave")
    wave["schedules"] = wave["schedules"][:2]
    wave["schedules"][1]["channels"] = wave["schedules"][0]["channels"]
    return wave


def native(at):
    wave = data("wave")
    wave["schedules"][0]["at"] = datetime.datetime(2030, 3, 1, 18, tzinfo=datetime.UTC)
    wave["schedules"][1]["at"] = at
    return wave


class Copying(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


class CopyingRepresenter(ruamel.yaml.RoundTripRepresenter):
    def ignore_aliases(self, data):
        return True


def ruamel_yaml():
    made = ruamel.yaml.YAML()
    made.allow_unicode = True
    return made


def writes(folder, dump, copy, load):
    folder = top / folder
    folder.mkdir(exist_ok=True)
    local = datetime.datetime(2030, 3, 2, 9)
    cases = {
        "wave": data("wave"),
        "channel": data("channel"),
        "shared": shared(),
        "native-local": native(local),
        "native-zone": native(local.replace(tzinfo=ZoneInfo("Europe/Berlin"))),
        "loaded": load((top / "wave.yaml").read_text()),
        "channel-loaded": load((top / "channel.yaml").read_text()),
    }
    for name, value in cases.items():
        with (folder / f"{name}.yaml").open("w", encoding="utf-8", newline="\n") as file:
            dump(value, file)
    with (folder / "copied.yaml").open("w", encoding="utf-8", newline="\n") as file:
        copy(shared(), file)


copying = ruamel_yaml()
copying.Representer = CopyingRepresenter
writes(f"pyyaml-{yaml.__version__}", yaml.safe_dump, lambda d, f: yaml.dump(d, f, Copying), yaml.safe_load)
writes(f"ruamel.yaml-{ruamel.yaml.__version__}", ruamel_yaml().dump, copying.dump, ruamel_yaml().load)
