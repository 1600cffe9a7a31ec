--- Lines of several streams as they come.
-- @local

local M = {}

--- Iterate over the lines of readers. What is buffered of one stream comes
-- before the next one is looked at, for it was written together.
-- @tparam table sources a list of {name =, reader =}, which becomes the
-- iterator's own
-- @treturn function iterator of a source's name and a line
function M.iterate(sources)
  local at = 1

  -- The next line that is here already; drops the streams that have ended.
  local function line_now()
    for _ = 1, #sources do
      local source = sources[at]
      local line, ended = source.reader:_line_now()
      if line then return source.name, line end
      if ended then table.remove(sources, at) else at = at + 1 end
      if at > #sources then at = 1 end
    end
  end

  return function()
    local name, line = line_now()
    while not name and #sources > 1 do
      sources[1].reader:_either(sources[2].reader)
      name, line = line_now()
    end
    if name then return name, line end
    local last = sources[1]
    line = last and last.reader:readline()
    if line then return last.name, line end
    return nil
  end
end

return M
