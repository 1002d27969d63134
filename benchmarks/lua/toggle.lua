-- The same `cycle` seats again and again, each by its buyer: taken, given back, taken. Every request has a new key.
local common = require "common"

common.counting(function(options, tokens, n)
   local m = n % options.cycle
   return common.take(options, tokens, m, m, n, "/toggle")
end)
