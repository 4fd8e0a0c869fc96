"""``python -m vip``: the command line, where the `vip` command is not on the path, as in a job."""

from vip.cli.main import main

main()
