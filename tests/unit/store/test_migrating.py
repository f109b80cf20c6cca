"""Migrations lead to the tables that the code knows, from nothing and from older stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from mlharness.errors import StoreError
from mlharness.store import migrating
from mlharness.store.migrating import HEAD, VERSION_TABLE, revision_of, upgrade
from mlharness.store.opening import Store, make_engine, open_store, parse
from mlharness.store.tables import metadata

FOLDER = Path(migrating.__file__).parent / "migrations"


def test_the_newest_migration_is_the_one_that_the_code_knows() -> None:
    assert ScriptDirectory(str(FOLDER)).get_current_head() == HEAD


def test_the_migrations_make_the_tables_of_the_code(store: Store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert revision_of(connection) == HEAD


def test_every_migration_goes_back(store: Store) -> None:
    with store.writing() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        command.downgrade(config, "base")
    with store.reading() as connection:
        assert inspect(connection).get_table_names() == [VERSION_TABLE]
    with store.writing() as connection:
        upgrade(connection, store.name)
    with store.reading() as connection:
        assert "mlh_runs" in inspect(connection).get_table_names()


def test_a_store_of_a_newer_mlharness_is_left_alone(store: Store, url: str) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE mlh_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"was made by a newer mlharness \(its tables are 9999") as caught:
        open_store(url)
    assert "Upgrade mlharness" in caught.value.remedy
    with store.reading() as connection:
        assert revision_of(connection) == "9999"


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "migrations"
    shutil.copytree(FOLDER, broken)
    script = broken / "versions" / "first_tables.py"
    script.write_text(
        script.read_text("utf-8").replace("def downgrade", "    raise OSError('no more')\n\n\ndef downgrade")
    )
    monkeypatch.setattr(migrating, "_FOLDER", broken)
    with pytest.raises(OSError, match="no more"):
        open_store(url)
    with make_engine(parse(url), "").connect() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.setattr(migrating, "_FOLDER", FOLDER)
    open_store(url)


def test_tables_of_others_are_left_alone(url: str) -> None:
    if "://" not in url:
        Path(url).parent.mkdir()
    engine = make_engine(parse(url), "")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('another program')"))
    open_store(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "another program"
