"""Runs `openstack` commands in one process: a list of arguments on each line
that comes in, status and output on each line that goes out."""

import contextlib
import io
import json
import sys

from openstackclient.shell import OpenStackShell

answers = sys.stdout
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = OpenStackShell().run(json.loads(line))
        except SystemExit as end:
            status = end.code
    answer = {"status": status or 0, "out": out.getvalue(), "err": err.getvalue()}
    print(json.dumps(answer), file=answers, flush=True)
