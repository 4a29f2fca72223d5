"""Stores: places outside the machine where objects lie, read from and written to without losing a byte.

A source that lies in a store is listed, and its objects are read where they are; artifacts are pushed
to a store and pulled from it. From what a person types to the bytes:

    address.py     a URL taken apart: which kind of store, which place in it
    backend.py     what every store can do, one request at a time and patiently
    s3.py  hdfs.py  cloud.py  web.py  folder.py      the kinds of store
    guard.py       which hosts a plain web address may lead to
    objects.py     what lies below a URL, as a list that stands still
    reading.py     one object as a stream that goes on where it was cut off
    crew.py        many transfers at once
    copying.py     objects to local files, going on from what is there
    depot.py  manifest.py       how artifacts lie in a store

Nothing here knows a workspace. Credentials come from where the libraries look for them (environment,
configuration files, the machine's role), and no URL is told or written down with its secrets.
"""
