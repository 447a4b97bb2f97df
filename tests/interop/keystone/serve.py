"""Serves the Keystone of a folder: serve.py FOLDER PORT TOKEN_SECONDS.

It ends with the process that started it, however that ends.
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
    folder, port, seconds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    config = settings.write(folder, seconds)
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(config.parent)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = config.name

    # Keystone reads the arguments of its process when it is imported.
    sys.argv = sys.argv[:1]
    import waitress
    from keystone.wsgi.api import application

    # One at a time: SQLite has one writer, and Python one processor.
    waitress.serve(application, host="127.0.0.1", port=port, threads=1)


main()
