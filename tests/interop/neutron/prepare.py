"""Writes the database of a Neutron as SQL, for PostgreSQL: prepare.py FILE.

It is what Neutron's models say, which its migrations lead to as well: of these
one knows MySQL only. Loading it takes a second, migrating takes many.
"""

import pathlib
import runpy
import sys

import sqlalchemy
from neutron.db import migration
from neutron.db.migration.models import head

# The one migration that also fills its table: with the rules that groups begin with.
RULES = "alembic_migrations/versions/2023.2/expand/c33da356b165_security_group_default_rules.py"


def main():
    statements = []

    def take(statement, *_, **__):
        statements.append(str(statement.compile(dialect=engine.dialect)).strip())

    engine = sqlalchemy.create_mock_engine("postgresql+psycopg2://", take)
    metadata = head.get_metadata()
    metadata.create_all(engine, checkfirst=False)
    rules = runpy.run_path(str(pathlib.Path(migration.__file__).parent / RULES))
    name = rules["table_name"]
    attributes, table = metadata.tables["standardattributes"], metadata.tables[name]
    for rule in rules["default_template_rules"]:
        attribute = {"resource_type": name, "description": rule.pop("description")}
        made = sqlalchemy.insert(attributes).values(attribute).returning(attributes.c.id).cte("made")
        columns = [*rule, "standard_attr_id"]
        row = sqlalchemy.select(*map(sqlalchemy.literal, rule.values()), made.c.id)
        statement = sqlalchemy.insert(table).from_select(columns, row)
        # Values are written out: the file is all there is.
        text = statement.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
        statements.append(str(text))
    pathlib.Path(sys.argv[1]).write_text("".join(f"{statement};\n" for statement in statements))


main()
