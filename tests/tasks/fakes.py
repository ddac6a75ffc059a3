"""Hubs that run in this process: servers that answer as told, and data sets that need none."""

import contextlib
import http.server
import socket
import threading


@contextlib.contextmanager
def server(status):
    """Address of a server that answers every HEAD request with a status, and the list of paths asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", asked
        finally:
            running.shutdown()
            thread.join()


@contextlib.contextmanager
def talker(reply):
    """Address of a port that sends some bytes to whoever connects; with None it stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                if reply is None:
                    connection.recv(1)  # until the client gives up
                else:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hub:
    """Stands for `datasets.load_dataset`: data sets by (id, subset, split)."""

    def __init__(self, **splits):
        self.splits, self.calls = splits, []

    def __call__(self, hub_id, subset=None, *, split, trust_remote_code):
        assert trust_remote_code is False
        self.calls.append((hub_id, subset, split))
        if split not in self.splits:
            raise ValueError(f'Unknown split "{split}". Should be one of {list(self.splits)}.\nand more')
        return self.splits[split]
