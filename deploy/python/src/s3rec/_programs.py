"""Where the programs are that the wheel carries."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn


def program(name: str = "s3rec") -> Path:
    """The program of that name: of the directory that S3REC_PROGRAMS names, of this environment, or of PATH.

    Raises FileNotFoundError, which says where was looked.
    """
    chosen = os.environ.get("S3REC_PROGRAMS")
    places = [Path(chosen)] if chosen else [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    for place in places:
        if (place / name).is_file():
            return place / name
    if not chosen and (found := shutil.which(name)):
        return Path(found)
    looked = ", ".join(map(str, places)) + ("" if chosen else ", PATH")
    raise FileNotFoundError(f"the program {name} is not in {looked}; set S3REC_PROGRAMS to its directory")


def become(name: str) -> NoReturn:
    """Goes on as the daemon of that name: one program is all three, by the name that it is called."""
    os.execv(program(), [name, *sys.argv[1:]])
