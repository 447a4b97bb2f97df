"""Serves a Neutron: serve.py api|rpc FOLDER DATABASE BROKER [PORT].

`api` is what clients ask, at PORT of loopback; `rpc` is what agents ask, over
the broker. They end with the process that started them, however that ends.
"""

import os
import pathlib
import sys
import threading
import time

import settings


def end_with(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main():
    what, folder, database, broker = sys.argv[1:5]
    port = int(sys.argv[5]) if what == "api" else None
    folder = pathlib.Path(folder).resolve()
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    paste = pathlib.Path(sys.prefix) / "etc" / "neutron" / "api-paste.ini"
    config = settings.write(folder, paste, database, broker)
    if what == "rpc":
        sys.argv = ["neutron-rpc-server", "--config-file", str(config)]
        from neutron.cmd.server import main_rpc

        main_rpc()
        return
    os.environ["OS_NEUTRON_CONFIG_DIR"] = str(config.parent)
    os.environ["OS_NEUTRON_CONFIG_FILES"] = config.name
    # Neutron reads the arguments of its process when it is imported.
    sys.argv = sys.argv[:1]
    import waitress
    from neutron.wsgi.api import application

    waitress.serve(application, host="127.0.0.1", port=port, threads=4)


main()
