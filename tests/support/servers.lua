-- Real servers as services, for tests of readiness and health: each on an
-- address of its own in TMPDIR or on a port that is free.
-- local servers = dofile(SOURCE .. "/tests/support/servers.lua")

local fs = require "luvisor.fs"
local net = require "luvisor.net"
local process = require "luvisor.process"

local M = {}

local TMP <const> = assert(os.getenv "TMPDIR", "TMPDIR is not set")

--- Is a program there?
function M.has(name)
  return process.which(name) ~= nil
end

--- A port of 127.0.0.1 on which nobody listens.
function M.free_port()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  return listener.address.port
end

--- A redis of its own, that keeps nothing: a service without `ready`.
-- @tparam table at port or path
function M.redis(at)
  return {
    command = { "redis-server", "--port", tostring(at.port or 0),
      "--bind", "127.0.0.1", "--unixsocket", at.path or "", "--save", "",
      "--appendonly", "no", "--dir", TMP },
  }
end

local NGINX <const> = [[
daemon off;
worker_processes 1;
pid @DIR/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path @DIR/body;
  proxy_temp_path @DIR/proxy;
  fastcgi_temp_path @DIR/fastcgi;
  uwsgi_temp_path @DIR/uwsgi;
  scgi_temp_path @DIR/scgi;
  server {
    listen 127.0.0.1:@PORT;
    location / { return 200 "well\n"; }
    location /ill { return 500 "ill\n"; }
  }
}
]]

--- An nginx in the foreground: / answers 200, /ill 500.
-- @tparam string dir for its files
-- @tparam integer port
function M.nginx(dir, port)
  fs.write_file(dir .. "/nginx.conf",
    (NGINX:gsub("@DIR", dir):gsub("@PORT", port)))
  return { command = { "nginx", "-c", dir .. "/nginx.conf", "-p", dir,
                       "-e", "stderr" } }
end

local PYTHON <const> = [[
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = int(open(sys.argv[2]).read())
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"%d\n" % code)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
]]

--- An HTTP server that answers with the status that stands in a file.
function M.python(port, file)
  return { command = { "python3", "-c", PYTHON, tostring(port), file } }
end

--- Write a file, whole at each moment.
function M.write(path, text)
  fs.write_file(path, tostring(text), { atomic = true })
end

return M
