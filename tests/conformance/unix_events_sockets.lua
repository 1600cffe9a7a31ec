-- After CPython's test_unix_events.py: Unix sockets by path.

local asyncio = require "luvisor.asyncio"
local fs = require "luvisor.fs"
local net = require "luvisor.net"
local tap = require "luvisor.tap"

-- Runs fn in a loop, with a path in a folder that goes away.
local function test(name, fn)
  tap.test(name, function()
    local dir = fs.mkdtemp()
    asyncio.run(fn, dir .. "/socket", dir)
    fs.remove(dir)
  end)
end

local function serve(path, options)
  return asyncio.start_unix_server(function(_, writer)
    writer:write "hello"
    writer:close()
  end, path, options)
end

local function check_served(path)
  local reader, writer = asyncio.open_unix_connection(path)
  tap.is(reader:read(), "hello")
  writer:close()
end

local function as_object(path)
  return setmetatable({}, { __tostring = function() return path end })
end

test("test_create_unix_server_existing_path_sock: one that nobody serves is "
  .. "replaced", function(path, dir)
  local abandoned = net.listen { path = path }
  fs.rename(path, dir .. "/kept")
  abandoned:close()
  fs.rename(dir .. "/kept", path)
  local server = serve(path)
  check_served(path)
  server:close()
  tap.is(fs.exists(path), false)
end)

test("test_create_unix_server_existing_path_nonsock: no other file is",
function(path)
  fs.write_file(path, "mine")
  tap.throws(function() serve(path) end, "EADDRINUSE")
  tap.is(fs.read_file(path), "mine")
  fs.remove(path)
end)

test("test_create_unix_server_pathlike: a path is what tostring makes of it",
function(path)
  local _ <close> = serve(as_object(path))
  check_served(path)
end)

test("test_create_unix_connection_pathlike: so to connect to", function(path)
  tap.throws(function() asyncio.open_unix_connection(as_object(path)) end,
    "ENOENT")
  local _ <close> = serve(path)
  check_served(as_object(path))
end)

test("test_create_unix_server_bind_error: what cannot be bound leaves nothing",
function(path)
  tap.throws(function() serve(path .. "/none") end, "ENOENT")
  tap.throws(function() serve(path:rep(20)) end, "ENAMETOOLONG")
end)

test("test_create_unix_server_nopath_nosock: a path or a socket is needed",
function()
  tap.throws(function() serve() end, "expected path")
end)

test("test_create_unix_connection_nopath_nosock: here, too", function()
  tap.throws(asyncio.open_unix_connection, "expected path")
end)

test("test_create_unix_connection_path_sock: not both", function(path)
  local listener <close> = net.listen { path = path }
  tap.throws(function() serve(path, { sock = listener }) end,
    "either sock or an address")
  local conn <close> = net.connect { path = path }
  tap.throws(function()
    asyncio.open_unix_connection(path, { sock = conn })
  end, "either sock or an address")
  tap.throws(function()
    asyncio.open_connection("localhost", 1, { sock = conn })
  end, "either sock or an address")
end)

test("test_create_unix_server_path_inetsock: a listener of luvisor.net",
function(path)
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local conn <close> = net.connect { host = "127.0.0.1",
                                     port = listener.address.port }
  tap.throws(function() serve(nil, { sock = conn }) end, "sock must be")
  tap.throws(function() serve(nil, { sock = {} }) end, "sock must be")
  listener:close()
  local _ <close> = serve(nil, { sock = net.listen { path = path } })
  check_served(path)
end)

test("test_create_unix_connection_path_inetsock: a socket of luvisor.net",
function(path)
  local _ <close> = serve(path)
  tap.throws(function()
    asyncio.open_unix_connection { sock = {} }
  end, "sock must be")
  local reader, writer = asyncio.open_unix_connection {
    sock = net.connect { path = path },
  }
  tap.is(reader:read(), "hello")
  writer:close()
end)

test("test_create_unix_server_ssl_bool: there is no TLS", function(path)
  for _, option in ipairs { "ssl", "server_hostname", "ssl_handshake_timeout",
                            "ssl_shutdown_timeout" } do
    tap.throws(function() serve(path, { [option] = 1 }) end, "no TLS")
    tap.throws(function()
      asyncio.open_unix_connection(path, { [option] = 1 })
    end, "no TLS")
  end
  tap.is(fs.exists(path), false)
end)

tap.done()
