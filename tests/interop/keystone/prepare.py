"""Makes a Keystone that serve.py can start copies of: prepare.py FOLDER.

The folder then holds keystone.db (SQLite, migrated and bootstrapped, with the
user admin and the region RegionOne) and both key repositories. Every start
copies it, so that no test waits for migrations.
"""

import os
import pathlib
import shutil
import sys

import settings

PASSWORD = "secret"

# Replaced by serve.py's caller, which knows the port.
URL = "http://127.0.0.1:1/v3"


def manage(config, *arguments):
    """Runs keystone-manage in a child: it can be configured once a process."""
    child = os.fork()
    if child == 0:
        from keystone.cmd import cli

        cli.main(["keystone-manage", "--config-file", str(config), *arguments])
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"keystone-manage {arguments[0]} failed ({status})")


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = settings.write(folder, token_seconds=3600)
    owner = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
    # Once, before the children are made.
    import keystone.cmd.cli  # noqa: F401

    manage(config, "db_sync")
    manage(config, "fernet_setup", *owner)
    manage(config, "credential_setup", *owner)
    manage(
        config, "bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne",
        "--bootstrap-public-url", URL, "--bootstrap-internal-url", URL,
    )


main()
