--- Names that nobody can guess.
-- @local

local M = {}

--- Random bytes of the kernel's, in hexadecimal digits.
-- @tparam integer bytes
-- @treturn string
function M.hex(bytes)
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  return (source:read(bytes):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

return M
