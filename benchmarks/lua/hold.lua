-- Every request holds a seat that nobody asked for before.
local common = require "common"

common.counting(function(options, tokens, n)
   return common.take(options, tokens, n, n, n)
end)
