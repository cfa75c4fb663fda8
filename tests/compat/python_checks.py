"""Debian's python3-redis."""

import time

import redis

from checks import Failure, check, equal
from servers import HOST


def connect(server, **options):
    return redis.Redis(host=HOST, port=server.port, socket_timeout=30, **options)


@check("python3-redis, strings")
def strings(server):
    r = connect(server)
    r.delete("py:s", "py:n", "py:f", "py:a", "py:b")
    equal(r.set("py:s", "Hello"), True, "set")
    equal(r.append("py:s", " World"), 11, "append")
    equal(r.get("py:s"), b"Hello World", "get")
    equal(r.getrange("py:s", -5, -1), b"World", "getrange")
    equal(r.setrange("py:s", 6, "Redis"), 11, "setrange")
    equal(r.strlen("py:s"), 11, "strlen")
    equal(r.set("py:s", "x", nx=True), None, "set nx of a key that is there")
    equal(r.set("py:s", "new", xx=True, get=True), b"Hello Redis", "set xx get")
    equal(r.getdel("py:s"), b"new", "getdel")
    equal(r.exists("py:s"), 0, "exists")
    equal([r.incr("py:n"), r.incrby("py:n", 9), r.decr("py:n", 4)], [1, 10, 6], "incr")
    equal(r.incrbyfloat("py:f", 2.5), 2.5, "incrbyfloat")
    equal(r.mset({"py:a": 1, "py:b": 2}), True, "mset")
    equal(r.mget("py:a", "py:none", "py:b"), [b"1", None, b"2"], "mget")
    equal(r.type("py:a"), b"string", "type")
    equal(r.delete("py:n", "py:f", "py:a", "py:b", "py:none"), 4, "delete")


@check("python3-redis, errors are errors")
def errors(server):
    r = connect(server)
    r.set("py:text", "abc")
    for call, words in [(lambda: r.incr("py:text"), "not an integer"),
                        (lambda: r.execute_command("SET", "py:text"), "wrong number of arguments"),
                        (lambda: r.execute_command("NOSUCH"), "unknown command")]:
        try:
            reply = call()
        except redis.ResponseError as error:
            if words not in str(error):
                raise Failure(f"error {str(error)!r} does not say {words!r}") from error
        else:
            raise Failure(f"{reply!r} instead of an error with {words!r}")
    equal(r.getdel("py:text"), b"abc", "the value after errors")


@check("python3-redis, binary keys and values")
def binary(server):
    r = connect(server)
    every_byte = bytes(range(256))
    equal(r.set(every_byte, every_byte[::-1]), True, "set")
    equal(r.get(every_byte), every_byte[::-1], "get")
    equal(list(r.scan_iter(match=b"\\\x00\x01\x02*")), [every_byte], "scan_iter with a binary pattern")
    equal(r.rename(every_byte, b"py:\r\n"), True, "rename")
    large = every_byte * 4096 * 4  # 4 MiB
    equal(r.set(b"py:\r\n", large), True, "set of 4 MiB")
    equal(r.get(b"py:\r\n") == large, True, "get of 4 MiB gives the same bytes")
    equal(r.set(b"", b""), True, "set of the empty key")
    equal(r.get(b""), b"", "get of the empty key")
    equal(r.delete(b"py:\r\n", b""), 2, "delete")


@check("python3-redis, pipelines")
def pipelines(server):
    r = connect(server)
    with r.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"py:p:{i}", i)
        for i in range(5000):
            pipe.get(f"py:p:{i}")
        replies = pipe.execute()
    equal(replies[:5000], [True] * 5000, "sets")
    equal(replies[5000:], [b"%d" % i for i in range(5000)], "gets, in the order of the commands")
    with r.pipeline(transaction=False) as pipe:
        pipe.set("py:p:0", "x").incr("py:p:0").get("py:p:0")
        replies = pipe.execute(raise_on_error=False)
    equal([replies[0], type(replies[1]), replies[2]], [True, redis.ResponseError, b"x"], "an error within")
    equal(r.delete(*[f"py:p:{i}" for i in range(5000)]), 5000, "delete")


@check("python3-redis, scan_iter")
def scan(server):
    r = connect(server)
    keys = {f"py:scan:{i}".encode() for i in range(1500)}
    r.mset(dict.fromkeys(keys, "x"))
    for count in (1, 10, 1000):
        found = list(r.scan_iter(match="py:scan:*", count=count))
        equal(set(found), keys, f"keys with count {count}")
    equal(set(r.scan_iter(match="py:scan:*", _type="string")), keys, "keys of type string")
    equal(r.delete(*keys), 1500, "delete")


@check("python3-redis, expiry")
def expiry(server):
    r = connect(server)
    r.set("py:e", "x", ex=100)
    equal(r.ttl("py:e") in (99, 100), True, "ttl")
    equal(r.persist("py:e"), True, "persist")
    equal(r.ttl("py:e"), -1, "ttl after persist")
    equal(r.ttl("py:none"), -2, "ttl of no key")
    equal(r.expire("py:e", 50), True, "expire")
    at = int(time.time()) + 1000
    equal(r.expireat("py:e", at), True, "expireat")
    equal(r.execute_command("EXPIRETIME", "py:e"), at, "expiretime")
    r.psetex("py:e", 150, "short")
    equal(r.get("py:e"), b"short", "get before the deadline")
    deadline = time.monotonic() + 5
    while r.get("py:e") is not None:
        if time.monotonic() > deadline:
            raise Failure("the key is still there 5 s after its deadline")
        time.sleep(0.02)
    equal(r.exists("py:e"), 0, "exists after the deadline")


@check("python3-redis, health checks, decoding, databases and client names")
def connection_features(server):
    r = connect(server, db=2, decode_responses=True, client_name="compat", health_check_interval=1)
    equal(r.ping(), True, "ping")
    equal(r.set("py:db", "ä"), True, "set")
    equal(r.get("py:db"), "ä", "get")
    equal(connect(server).exists("py:db"), 0, "exists in database 0")
    equal(r.client_getname(), "compat", "client_getname")
    equal(r.echo("text"), "text", "echo")
    info = r.info()
    equal(isinstance(info["redis_version"], str) and info["uptime_in_seconds"] >= 0, True, "info")
    equal(info["db2"]["keys"], 1, "keys of database 2 in info")
    equal(r.delete("py:db"), 1, "delete")
