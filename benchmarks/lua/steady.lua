-- Seats taken and given back by turns, `pace` requests a second whatever the answers take: background for readers.
local common = require "common"
local ffi = require "ffi"

ffi.cdef [[
   typedef struct { long seconds; long nanoseconds; } usher_time;
   int clock_gettime(int clock, usher_time *time);
]]

local time = ffi.new("usher_time")
local options, tokens, began
local due = 0

local function now()
   ffi.C.clock_gettime(1, time) -- CLOCK_MONOTONIC on Linux
   return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

function init(args)
   options = common.options(args)
   tokens = common.buyers(options)
   n = options.start
   began = now()
end

function delay()
   due = due + 1000 / options.pace
   return math.max(0, math.floor(began + due - now()))
end

function request()
   local m = n % options.cycle
   n = n + 1
   return common.take(options, tokens, m, m, n, "/toggle")
end
