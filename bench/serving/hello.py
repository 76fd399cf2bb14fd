# SPDX-License-Identifier: Apache-2.0
"""The same answer, as a handler of cctx serve and as an application of uWSGI."""


def handler(request):
    return "hello, " + request.headers.get("x-name", "stranger")


def application(environ, start_response):
    body = ("hello, " + environ.get("HTTP_X_NAME", "stranger")).encode()
    headers = [("content-type", "text/plain; charset=utf-8")]
    start_response("200 OK", [*headers, ("content-length", str(len(body)))])
    return [body]
