--- The names of asyncio's exceptions are kinds of error: `err:is(
-- asyncio.TimeoutError)` is `err:is "Timeout"`. Python's TypeError, ValueError
-- and RuntimeError for wrong use are UsageError here.
--
-- | name | kind |
-- |---|---|
-- | `CancelledError` | Cancelled |
-- | `TimeoutError` | Timeout |
-- | `InvalidStateError` | InvalidState |
-- | `IncompleteReadError` | IncompleteRead |
-- | `LimitOverrunError` | LimitOverrun |
-- | `QueueEmpty`, `QueueFull` | the same |
-- | `QueueShutDown` | Closed |
-- | `BrokenBarrierError` | BrokenBarrier |
-- | `BrokenPipeError`, `ConnectionResetError` | BrokenPipe |
-- | `ProcessLookupError` | NoProcess |
-- @module luvisor.asyncio
-- @section Errors

local errors = require "luvisor.error"

local M = {
  BrokenBarrierError = "BrokenBarrier",
  BrokenPipeError = "BrokenPipe",
  CancelledError = "Cancelled",
  ConnectionResetError = "BrokenPipe",
  IncompleteReadError = "IncompleteRead",
  InvalidStateError = "InvalidState",
  LimitOverrunError = "LimitOverrun",
  ProcessLookupError = "NoProcess",
  QueueEmpty = "QueueEmpty",
  QueueFull = "QueueFull",
  QueueShutDown = "Closed",
  TimeoutError = "Timeout",
}

--- A Cancelled error that is an ordinary one: what was cancelled is another's.
-- @local
-- @param[opt] reason what was given to cancel
-- @treturn Error
function M.cancelled(reason)
  return errors.new {
    kind = "Cancelled", message = "cancelled", reason = reason,
  }
end

--- Is this value an error of kind Cancelled, whoever was cancelled?
-- @local
-- @param value any
-- @treturn boolean
function M.is_cancelled(value)
  return errors.is_error(value) and value.kind == "Cancelled"
end

--- Raise InvalidState: asked too early, or settled twice.
-- @local
-- @tparam string format as for string.format
-- @param ... its values
function M.invalid_state(format, ...)
  errors.raise { kind = "InvalidState", message = format:format(...) }
end

--- A Timeout error.
-- @local
-- @tparam[opt] number seconds the limit, if it is known
-- @param[opt] cause the cancellation that it was
-- @treturn Error
function M.timeout(seconds, cause)
  local limit = seconds and (" after %g s"):format(seconds) or ""
  return errors.new {
    kind = "Timeout", message = "timed out" .. limit, seconds = seconds,
    cancellation = cause,
  }
end

--- A traceback without the frames below a task's own function.
-- @local
-- @tparam string traceback
-- @treturn string
function M.trim(traceback)
  return (traceback:gsub("\n[^\n]*'xpcall'\n[^\n]*luvisor/asyncio/.*", ""))
end

--- Raise Closed: the loop has ended.
-- @local
-- @tparam string where the function that was called
function M.loop_closed(where)
  errors.raise {
    kind = "Closed", message = where .. ": the event loop is closed",
  }
end

return M
