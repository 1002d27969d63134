-- Reads one path, with a tag if one is given.
local common = require "common"

function init(args)
   local options = common.options(args)
   wrk.path = options.path
   wrk.headers["Accept"] = "application/json"
   wrk.headers["If-None-Match"] = options.tag
end
