"""Keystone's configuration in a folder of its own."""

TEXT = """\
[DEFAULT]
use_stderr = true
default_log_levels = py.warnings=ERROR,keystone=WARN,alembic=WARN
[database]
connection = sqlite:///{folder}/keystone.db
[token]
expiration = {token_seconds}
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[cache]
enabled = true
backend = oslo_cache.dict
[identity]
# Tests log in often.
password_hash_rounds = 4
"""


def write(folder, token_seconds):
    """Writes keystone.conf; its path."""
    file = folder / "keystone.conf"
    file.write_text(TEXT.format(folder=folder, token_seconds=token_seconds))
    return file
