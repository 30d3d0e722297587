"""The version, as the record and the command line tell it."""

from importlib.metadata import version

VERSION = version("reactorwatch")
