#!/usr/bin/env python3
"""A stand-in for WhaTap's Open API: over HTTP, or TLS, it answers with what the stand-in for focus delivered.

It is written from what is known of the API. It checks headers, token and every key of the body strictly; what is wrong
is a line that begins with "violation" in the log. As the real one, it answers a wrong body with an empty array.

The file of faults has one fault a line, with its arguments; it is read for each request."""

import argparse
import json
import os
import random
import re
import socket
import ssl
import sys
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_PERIOD_MS = 31 * 86_400_000
FIELDS = {"temperature", "humidity", "dewpoint", "absolutehumidity", "heatindex", "vpd"}
QUERY = re.compile(r"CATEGORY (?P<category>[^\n]+)\n(OID (?P<oid>-?\d+)\n)?TAGLOAD\nSELECT \[(?P<fields>[a-z, ]+)\]")


def oid_of(oname):
    crc = zlib.crc32(oname.encode())
    return crc - (1 << 32) if crc >> 31 else crc


def number(value):
    """WhaTap shows 37.0 as 37."""
    return int(value) if float(value).is_integer() else value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, line):
        with open(self.server.args.log, "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def violation(self, what):
        self.note(f"violation: {what}")

    def do_GET(self):
        self.violation(f"GET {self.path}")
        self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.note(f"request {time.time():.3f} {body.decode()}")
        faults = self.faults()
        args = self.server.args
        if self.path != "/open/api/flush/mxql/text":
            self.violation(f"path {self.path}")
        if self.headers.get("Content-Type") != "application/json":
            self.violation(f"Content-Type {self.headers.get('Content-Type')}")
        if self.headers.get("x-whatap-pcode") != args.pcode:
            self.violation(f"x-whatap-pcode {self.headers.get('x-whatap-pcode')}")
        if self.headers.get("x-whatap-token") != args.token:
            return self.answer(401, b'{"message":"Unauthorized"}')
        if self.refuse(faults):
            return None
        query = self.query(body)
        rows = self.rows(query, faults) if query else []
        text = json.dumps(rows).encode()
        if "cut" in faults:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[: len(text) // 2])
            self.close_connection = True
            return None
        if "cut-chunk" in faults:
            text = text[: len(text) // 2]
        return self.answer(200, text)

    def faults(self):
        try:
            with open(self.server.args.faults, encoding="utf-8") as file:
                lines = [line.split() for line in file]
        except FileNotFoundError:
            lines = []
        return {words[0]: words[1:] for words in lines if words}

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, faults):
        """Plays a fault that has no rows. Returns whether it did."""
        if "status" in faults:
            self.answer(int(faults["status"][0]), b'{"msg":"no"}')
        elif "redirect" in faults:
            self.answer(302, b"", [("Location", faults["redirect"][0])])
        elif "object" in faults:
            key = faults["object"][0]
            self.answer(200, json.dumps({key: "the quota is used up"}).encode())
        elif "empty" in faults:
            self.answer(200, b"")
        elif "huge" in faults:
            self.answer(200, b"[" + b'{"time":1},' * 2_000_000 + b'{"time":1}]')
        elif "endless" in faults:
            self.endless()
        elif "hang" in faults:
            time.sleep(3600)
        else:
            return False
        return True

    def endless(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"[")
        try:
            while True:
                self.wfile.write(b'{"time":1},' * 1000)
        except OSError:
            self.note("the reader has gone")
        self.close_connection = True

    def query(self, body):
        """What is asked for; nothing if the request is not as it must be."""
        try:
            asked = json.loads(body)
        except ValueError:
            return self.violation("the body is no JSON")
        if set(asked) != {"stime", "etime", "mql", "limit", "pageKey"}:
            return self.violation(f"keys {sorted(asked)}")
        if not all(isinstance(asked[key], int) for key in ("stime", "etime", "limit")) or asked["pageKey"] != "mxql":
            return self.violation(f"values {asked}")
        if not 0 < asked["etime"] - asked["stime"] <= LONGEST_PERIOD_MS or asked["limit"] < 1:
            return self.violation(f"period or limit {asked}")
        query = QUERY.fullmatch(asked["mql"])
        if not query:
            return self.violation(f"query {asked['mql']!r}")
        fields = query["fields"].split(", ")
        if fields[:4] != ["time", "oid", "pcode", "oname"] or not set(fields[4:]) <= FIELDS:
            return self.violation(f"fields {fields}")
        return asked | {"category": query["category"], "oid": query["oid"], "fields": fields}

    def rows(self, query, faults):
        rows = list(self.samples(query, faults))
        if "other-oname" in faults:
            for row in rows:
                row["oname"], row["oid"] = "somebody", oid_of("somebody")
        if query["oid"] is not None:
            rows = [row for row in rows if row["oid"] == int(query["oid"])]
        if "other-project" in faults:
            for row in rows:
                row["pcode"] += 1
        if "twice" in faults:
            rows = [dict(row) for row in rows for _ in range(2)]
        rows.sort(key=lambda row: row["time"])
        rows = rows[: min(query["limit"], int(faults.get("limit", [query["limit"]])[0]))]
        if "order" in faults:
            random.shuffle(rows)
        return rows

    def samples(self, query, faults):
        args = self.server.args
        if args.generate:
            yield from generated(args.generate, query)
            return
        with open(args.record, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        shift_s = int(faults.get("shift", ["0"])[0])
        for index, record in enumerate(records):
            if is_dropped(index, faults) or not record["stdin"]:
                continue
            options = dict(zip(record["argv"], record["argv"][1:]))
            is_late = record["now"] is not None and "now-ignored" not in faults
            second = (record["now"] if is_late else record["time"]) + shift_s
            inside = query["stime"] <= second * 1000 < query["etime"]
            if options["-category"] == query["category"] and inside:
                oname = options.get("-oname") or socket.gethostname()
                row = {"time": second * 1000, "oid": oid_of(oname), "pcode": int(options["-pcode"]), "oname": oname}
                values = json.loads(record["stdin"])
                row |= {name: number(values[name]) for name in query["fields"] if name in values}
                keys = list(row)
                random.shuffle(keys)
                yield {key: row[key] for key in keys} | {"whatapfocus_ip": "192.0.2.1"}


def generated(how, query):
    """Samples of pi2w from so many ms after the epoch, so many ms apart: their temperature counts from 0 to 39.9."""
    start, step, count = map(int, how.split(","))
    first = max(0, -(-(query["stime"] - start) // step))
    last = min(count, -(-(query["etime"] - start) // step))
    for index in range(first, min(last, first + query["limit"])):
        second = (start + index * step) // 1000
        row = {"time": second * 1000, "oid": oid_of("pi2w"), "pcode": 7000, "oname": "pi2w"}
        yield row | {"temperature": number(index % 400 / 10), "humidity": 40}


def is_dropped(index, faults):
    if "drop-tenth" in faults and index < int(faults["drop-tenth"][0]) and index % 10 == 9:
        return True
    if "drop" in faults:
        first, last = map(int, faults["drop"])
        return first <= index <= last
    return False


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is no error."""


def main():
    parser = argparse.ArgumentParser()
    for option in ("--record", "--token", "--pcode", "--faults", "--log", "--port-file"):
        parser.add_argument(option, required=True)
    parser.add_argument("--certificate", help="file with certificate and key; without it, there is no TLS")
    parser.add_argument("--port", type=int, default=0, help="where it listens; else the system chooses")
    parser.add_argument("--generate", help="START_MS,STEP_MS,COUNT of samples in place of the record")
    args = parser.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.args = args
    if args.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(args.port_file + ".new", "w", encoding="utf-8") as file:
        file.write(f"{server.server_port}\n")
    os.rename(args.port_file + ".new", args.port_file)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
