"""S3 through moto's server, over a connection that breaks when a test wants it to."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from aictl.core.errors import AictlError, BadRequest, MachineLacks, NotFound, TryLater
from aictl.stores.address import parse
from aictl.stores.backend import Entry, open_place
from aictl.stores.crew import Crew
from aictl.stores.objects import list_objects
from aictl.stores.s3 import S3
from aictl.stores.s3_upload import Upload
from tests.stores.conftest import forget

MIB = 2**20


def place(bucket) -> S3:
    found = open_place(parse(bucket.url()))
    assert isinstance(found, S3)
    return found


def send(bucket, path, key="big", crew=None):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    place(bucket).upload(path, key, sha256=sha256, draft="", crew=crew or Crew())


# Reading


def test_reading_goes_on_where_it_was_cut_off(bucket, faulty):
    data = os.urandom(12 * MIB + 5)
    bucket.put("big", data)
    (found,) = list_objects(parse(bucket.url("big"))).objects
    faulty.cut_after, faulty.cuts = 300_000, 2
    with found.open() as stream:
        assert stream.read() == data
    assert faulty.cuts == 0
    # What had come of a piece that was cut off is asked for again, and no more than that.
    assert faulty.carried < len(data) + 2 * MIB


def test_when_patience_ends_it_says_how_far_it_came(bucket, faulty):
    bucket.put("big", bytes(3 * MIB))
    (found,) = list_objects(parse(bucket.url("big"))).objects
    stream = found.open()
    assert len(stream.read(MIB)) == MIB
    faulty.refuses = True
    with pytest.raises(TryLater, match=r"big stopped at byte 1,048,576 of 3,145,728: .*tried 4 times"):
        stream.read()


def test_looking_at_the_beginning_fetches_little(bucket, faulty):
    bucket.put("big", bytes(40 * MIB))
    (found,) = list_objects(parse(bucket.url("big"))).objects
    faulty.carried = 0
    with found.open() as stream:
        stream.read(4096)
    assert faulty.carried < 2 * MIB


def test_a_change_in_the_middle_is_noticed(bucket):
    bucket.put("big", bytes(3 * MIB))
    (found,) = list_objects(parse(bucket.url("big"))).objects
    stream = found.open()
    stream.read(MIB)
    bucket.put("big", bytes(3 * MIB - 1) + b"x")
    with pytest.raises(TryLater, match="changed after it was listed"):
        stream.read()


def test_an_empty_object(bucket):
    bucket.put("empty.txt", b"")
    (found,) = list_objects(parse(bucket.url("empty.txt"))).objects
    assert found.open().read() == b""


# Writing


def test_a_small_file_and_a_large_one_arrive_whole(bucket, write):
    for name, size in (("small", 100), ("empty", 0), ("exact", Upload.part_bytes), ("big", 2 * Upload.part_bytes + 7)):
        crew = Crew()
        path = write(name, os.urandom(size))
        send(bucket, path, name, crew)
        assert bucket.get(name) == path.read_bytes()
        assert crew.bytes_moved == size
    assert bucket.uploads() == []


@pytest.fixture
def small_parts(monkeypatch):
    """The least that S3 takes for a part."""
    monkeypatch.setattr(Upload, "part_bytes", 5 * MIB)


def test_an_upload_that_was_cut_off_goes_on_with_the_parts_that_are_there(bucket, write, faulty, small_parts):
    path = write("big", os.urandom(23 * MIB))
    dying = Crew(workers=1)
    moved = dying.moved

    def die_after_three(count: int) -> None:
        moved(count)
        if dying.bytes_moved >= 15 * MIB:
            faulty.refuses = True

    dying.moved = die_after_three
    with pytest.raises(TryLater, match="could not be written"):
        send(bucket, path, crew=dying)
    assert bucket.uploads() == ["big"]
    assert bucket.keys() == []
    faulty.refuses = False
    sent = []
    again = place(bucket)
    call = again.call

    def noted(operation: str, **request):
        sent.append((operation, request.get("PartNumber")))
        return call(operation, **request)

    again.call = noted
    send(bucket, path)
    assert sorted(number for operation, number in sent if operation == "upload_part") == [4, 5]
    assert bucket.get("big") == path.read_bytes()
    assert bucket.uploads() == []


def test_parts_of_another_file_are_sent_again(bucket, write, small_parts):
    """Such as those of the same file before it changed: every part is compared with what is to be sent."""
    path = write("big", os.urandom(12 * MIB))
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="big")["UploadId"]
    for number in (1, 2):
        part = {"PartNumber": number, "UploadId": upload, "Body": os.urandom(5 * MIB)}
        bucket.client.upload_part(Bucket=bucket.name, Key="big", **part)
    send(bucket, path)
    assert bucket.get("big") == path.read_bytes()


def test_an_upload_in_other_parts_is_left_alone(bucket, write, small_parts):
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="big")["UploadId"]
    bucket.client.upload_part(Bucket=bucket.name, Key="big", PartNumber=1, UploadId=upload, Body=bytes(6 * MIB))
    path = write("big", os.urandom(12 * MIB))
    send(bucket, path)
    assert bucket.get("big") == path.read_bytes()
    assert bucket.uploads() == ["big"]


def test_two_that_send_the_same_at_once(bucket, write, small_parts):
    path = write("big", os.urandom(22 * MIB))
    failed = []

    def one() -> None:
        try:
            send(bucket, path)
        except AictlError as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert bucket.get("big") == path.read_bytes()


def test_a_connection_that_breaks_while_writing(bucket, write, faulty, small_parts):
    faulty.cut_after, faulty.cuts = 0, 2
    path = write("big", os.urandom(11 * MIB))
    send(bucket, path)
    assert bucket.get("big") == path.read_bytes()


def test_writing_only_where_nothing_is(bucket):
    assert place(bucket).write("name", b"first", draft="", anew=True)
    assert not place(bucket).write("name", b"second", draft="", anew=True)
    assert bucket.get("name") == b"first"
    assert place(bucket).write("name", b"third", draft="")
    assert bucket.get("name") == b"third"
    place(bucket).remove("name")
    place(bucket).remove("name")
    assert place(bucket).entry("name") is None


# Refusals


def test_no_such_bucket(bucket):
    with pytest.raises(NotFound, match="no bucket 'nobody-s-bucket'"):
        list_objects(parse("s3://nobody-s-bucket/x"))


def test_no_such_object(bucket):
    with pytest.raises(NotFound, match="no such object"):
        list_objects(parse(bucket.url("nothing")))


def test_no_credentials(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    forget()
    with pytest.raises(MachineLacks, match="no credentials to read s3://") as lacking:
        list_objects(parse(bucket.url("x")))
    assert "AWS_PROFILE" in str(lacking.value.cure)


def test_credentials_of_a_profile_in_the_configuration_file(bucket, monkeypatch, tmp_path):
    bucket.put("x", b"hello")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {bucket.server.endpoint}\n")
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = test\naws_secret_access_key = test-secret\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    forget()
    assert list_objects(parse(bucket.url("x"))).objects[0].open().read() == b"hello"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    forget()
    with pytest.raises(MachineLacks, match="nobody"):
        list_objects(parse(bucket.url("x")))


def test_a_bucket_s_name_that_is_none(bucket):
    with pytest.raises(BadRequest):
        list_objects(parse("s3://No_Such!/x"))


def test_nobody_there(bucket, faulty):
    faulty.refuses = True
    with pytest.raises(TryLater, match="2 times") as later:
        list_objects(parse(bucket.url("x")))
    assert later.value.exit_code == 75


def test_an_endpoint_that_is_none(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    forget()
    with pytest.raises(BadRequest, match="AWS_ENDPOINT_URL"):
        list_objects(parse(bucket.url("x")))


def test_a_range_of_another_version_is_refused(bucket):
    bucket.put("x", b"hello")
    with pytest.raises(TryLater, match="changed"):
        place(bucket).range(Entry("x", 5, "etag:00000000000000000000000000000000"), 0, 5)
