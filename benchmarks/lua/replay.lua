-- The same `cycle` holds again and again, with the same keys: after the first time each is a replay.
local common = require "common"

common.counting(function(options, tokens, n)
   local m = n % options.cycle
   return common.take(options, tokens, m, m, m)
end)
