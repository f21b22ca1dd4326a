"""Catalogues are read from hostile zips without harm, and classed by the table."""

import dataclasses
import zipfile

import pytest

from demo.catalogue import Catalogue, open_catalogues
from demo.classes import class_of
from pipeline.errors import UserError

ENTRY = """\
id=SweetHome3D#Models
id#1=Scopia#smallTable
name#1=Table \\u20ac
tags#1=Seat, Wood
category#1=Kitchen
model#1=/scopia/table/table.obj
width#1=100
depth#1=50
height#1=70
creator#1=Scopia
"""


@pytest.fixture
def scopia(tmp_path):
    path = tmp_path / "Scopia.sh3f"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", ENTRY)
    return path


def test_an_entry_is_read_with_its_escapes(scopia):
    (entry,) = Catalogue(scopia).entries()
    assert entry.id == "scopia-smalltable"
    assert entry.name == "Table €"
    assert entry.tags == ("Seat", "Wood")
    assert entry.size.tolist() == [100, 70, 50]
    assert entry.licence == "CC-BY-3.0"


def test_a_file_that_is_no_zip_is_one_clear_error(tmp_path):
    (tmp_path / "Scopia.sh3f").write_bytes(b"not a zip")
    with pytest.raises(UserError, match=r"Scopia\.sh3f.*fetch the package again"):
        open_catalogues(tmp_path)


def test_an_unknown_catalogue_has_no_licence(scopia):
    with pytest.raises(UserError, match="licence is unknown"):
        Catalogue(scopia.rename(scopia.with_name("Other.sh3f")))


@pytest.mark.parametrize(
    ("name", "category", "label"),
    [
        ("Coffee table", "Living room", "table"),
        ("Table fan", "Miscellaneous", None),
        ("Armchair ottoman", "Living room", None),
        ("Glass door", "Doors and windows", "door"),
        ("Glass", "Kitchen", "cup"),
        ("Sitting girl", "Characters", "person"),
    ],
)
def test_the_first_matching_row_gives_the_class(scopia, name, category, label):
    (entry,) = Catalogue(scopia).entries()
    assert class_of(dataclasses.replace(entry, name=name, category=category)) == label
