"""HLS: segments of a second, served by nginx at the source over connections that are kept."""

import os

from systems import FPS, SOURCE, STREAM_BPS, Stamped

NEEDS = ("nginx",)
VIEWERS_MAX = 64
LAG = ("from a frame handed to the segmenter to all of it received by a client that asks for the "
       "playlist four times a second and begins with its newest segment; a player's buffer, of three "
       "segments by the standard (RFC 8216, 6.3.3), comes on top")
CONFIG = """daemon off; worker_processes 1; error_log stderr error; pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 8080; root {folder}/hls; add_header Cache-Control no-cache; }}
}}
"""


class System(Stamped):
    def __init__(self, **_):
        pass

    def start_source(self, bench, viewers):
        config = bench.path("nginx.conf")
        os.chmod(bench.folder, 0o755)  # nginx's worker is not root
        os.mkdir(bench.path("hls"))
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(folder=bench.folder))
        send = " ".join(bench.stamp("send", str(STREAM_BPS), str(FPS), "hls", bench.path("hls")))
        return bench.start(SOURCE, "source", [
            "sh", "-c", f"nginx -p {bench.folder} -c {config} & exec {send}"])

    def start_viewer(self, bench, name, host, number):
        client = os.path.join(bench.here, "hls_viewer.py")
        receive = " ".join(bench.stamp("receive"))
        return bench.start(host, name, [
            "sh", "-c", f"{client} {bench.lab.address(SOURCE)} 8080 | {receive}"])
