"""curl on the HTTP port."""

import os

from checks import check, contains, equal, output_of
from servers import HOST

MEBIBYTE = 1 << 20


def curl(server, path, *options, stdin=b""):
    """(status, body); `path` is sent as it stands."""
    url = f"http://{HOST}:{server.http_port}{path}"
    out = output_of(["curl", "-sS", "--path-as-is", "-m", "30", "-w", "\n%{http_code}", *options, url], stdin)
    body, _, status = out.rpartition(b"\n")
    return int(status), body


def redis_cli(server, *words):
    return output_of(["redis-cli", "-h", HOST, "-p", server.port, "--no-raw", *words]).decode().rstrip("\n")


@check("curl -L, PUT, GET and DELETE of a key", http=True)
def put_get_delete(server):
    equal(curl(server, "/my-key", "-L", "-XPUT", "-d", "bar"), (204, b""), "PUT")
    equal(curl(server, "/my-key", "-L"), (200, b"bar"), "GET")
    equal(redis_cli(server, "GET", "my-key"), '"bar"', "GET over the Redis protocol")
    equal(curl(server, "/my-key", "-L", "-XPUT", "-d", "foo"), (204, b""), "PUT again")
    equal(curl(server, "/my-key", "-L"), (200, b"foo"), "GET again")
    equal(curl(server, "/my-key", "-L", "-XDELETE"), (204, b""), "DELETE")
    equal(curl(server, "/my-key", "-L")[0], 404, "GET after DELETE")
    equal(curl(server, "/my-key", "-L", "-XDELETE"), (204, b""), "DELETE of no key")


@check("curl, percent-encoded keys and query strings", http=True)
def encoded_keys(server):
    for path, shown in [("/http%20a%2Fb%00%ff%C3%A4", '"http a/b\\x00\\xff\\xc3\\xa4"'), ("/http:a/b/../c", '"http:a/b/../c"'),
                        ("/http:q?x=1&y=%32", '"http:q?x=1&y=2"'), ("/http:plus+sign", '"http:plus+sign"'),
                        ("/12345", '"12345"')]:
        equal(curl(server, path, "-X", "PUT", "-d", "v"), (204, b""), f"PUT {path}")
        equal(curl(server, path), (200, b"v"), f"GET {path}")
        keys = redis_cli(server, "KEYS", "http*" if "http" in path else "12345")
        equal(keys, f"1) {shown}", f"the key of {path}")
        equal(curl(server, path, "-X", "DELETE"), (204, b""), f"DELETE {path}")
        equal(curl(server, path)[0], 404, f"GET {path} after DELETE")


@check("curl, any bytes, chunked and large bodies", http=True)
def bodies(server):
    every_byte = bytes(range(256))
    equal(curl(server, "/http:b", "-X", "PUT", "--data-binary", "@-", stdin=every_byte), (204, b""), "PUT")
    equal(curl(server, "/http:b"), (200, every_byte), "GET")
    equal(curl(server, "/http:b", "-X", "PUT", "--data-binary", "", "-H", "Content-Length: 0"), (204, b""),
          "PUT of nothing")
    equal(curl(server, "/http:b"), (200, b""), "GET of nothing")
    large = os.urandom(4 * MEBIBYTE)
    # From standard input curl does not know the length, so it sends chunks.
    equal(curl(server, "/http:b", "-T", "-", stdin=large), (204, b""), "chunked PUT of 4 MiB")
    status, body = curl(server, "/http:b")
    equal((status, body == large), (200, True), "GET of 4 MiB")
    equal(curl(server, "/http:b", "-X", "PUT", "-H", "Expect: 100-continue", "--data-binary", "@-", stdin=large),
          (204, b""), "PUT of 4 MiB after 100-continue")
    equal(curl(server, "/http:b", "-X", "DELETE"), (204, b""), "DELETE")


@check("curl, methods that are not served, and one connection for many requests", http=True)
def methods(server):
    for method in ("PATCH", "OPTIONS"):
        out = output_of(["curl", "-sS", "-i", "-m", "30", "-X", method,
                         f"http://{HOST}:{server.http_port}/http:m"]).decode().lower()
        contains(out.splitlines()[0], " 405", method)
        contains(out, "\nallow: ", method)
    equal(curl(server, "/http:m", "-XPOST", "-d", "x")[0], 405, "POST on what is no number")
    head = output_of(["curl", "-sS", "-I", "-m", "30", f"http://{HOST}:{server.http_port}/-/health"]).decode()
    contains(head.splitlines()[0], " 200", "HEAD /-/health")
    urls = [f"http://{HOST}:{server.http_port}/-/health"] * 3
    out = output_of(["curl", "-sS", "-m", "30", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null",
                     "-w", "%{http_code} %{num_connects}\n", *urls]).decode().split()
    equal(out, ["200", "1", "200", "0", "200", "0"], "status and new connections of three requests")


@check("curl, /-/metrics and /-/health", http=True)
def reserved(server):
    equal(curl(server, "/-/health")[0], 200, "/-/health")
    status, body = curl(server, "/-/metrics")
    equal(status, 200, "/-/metrics")
    contains(body, b"# TYPE ", "/-/metrics")
