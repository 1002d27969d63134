-- `rivals` buyers, each with a key of their own, want the same seat; then the next seat. One gets it.
local common = require "common"

common.counting(function(options, tokens, n)
   return common.take(options, tokens, math.floor(n / options.rivals), n, n)
end)
